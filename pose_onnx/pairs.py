"""Pairs of a detector and a keypoint model that work together, by quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from pose_onnx.cards.lookup import find_file, how_to_get
from pose_onnx.errors import ModelFileError, unknown_name


class Pair(NamedTuple):
    """Two models by name.

    Attributes:
        detector: Finds the people.
        pose: Finds their keypoints.
    """

    detector: str
    pose: str


PAIRS: Final[Mapping[str, Pair]] = MappingProxyType(
    {
        "builtin": Pair("picodet_s_192_lcnet_pedestrian_distilled", "tinypose_128x96_distilled"),
        "fast": Pair("picodet_s_192_lcnet_pedestrian", "tinypose_128x96"),
        "best": Pair("picodet_s_320_lcnet_pedestrian", "tinypose_256x192"),
    }
)
"""By quality; all but the built-in one are official models, which `pose-onnx models pull` fetches."""

DEFAULT_QUALITY: Final = "builtin"
DEFAULT_DETECTOR, DEFAULT_POSE = PAIRS[DEFAULT_QUALITY]


def find_pair(quality: str) -> Pair:
    """Return the pair of a quality.

    Raises:
        UnknownNameError: There is no such quality.
    """
    if quality not in PAIRS:
        raise unknown_name("quality", quality, PAIRS)
    return PAIRS[quality]


def demand_models(quality: str, names: Sequence[str], backend: str, precision: str) -> None:
    """Check that all models of a quality are on this machine.

    Raises:
        ModelFileError: With the one command that fetches all that are missing, if they can be fetched.
    """
    missing = [name for name in names if find_file(name, backend, precision) is None]
    if missing and quality != DEFAULT_QUALITY:
        raise ModelFileError(
            f"quality {quality!r} needs the models {', '.join(missing)}, which are not on this machine; "
            f"{how_to_get(missing[0], backend, precision, missing[1:])}"
        )
