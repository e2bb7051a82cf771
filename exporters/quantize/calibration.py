"""Calibration inputs: what a network is fed when our own pipeline looks at a folder of photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard, Task
from pose_onnx.core.detection import detector_input
from pose_onnx.core.keypoints import keypoint_input
from pose_onnx.detector import Detector
from pose_onnx.errors import InputError
from pose_onnx.image_files import IMAGE_SUFFIXES, load_image
from pose_onnx.pose_estimator import DEFAULT_DETECTOR
from pose_onnx.presets import find_preset

F32 = NDArray[np.float32]
SAMPLES: Final = 64
"""Inputs that calibration looks at, at most."""
FEWEST: Final = 8
"""Fewer say too little about how large a tensor's values get."""


def calibration_samples(folder: Path, card: ModelCard) -> F32:
    """Make network inputs from photos, in the order of their names.

    For a detector each photo is one; for a keypoint model each person that the built-in detector finds.

    Args:
        folder: of photos.
        card: the network's card.

    Returns:
        (M, 3, H, W) float32, M up to `SAMPLES`.

    Raises:
        InputError: no such folder, or too few photos or people in it.
    """
    if not folder.is_dir():
        raise InputError(f"{str(folder)!r} is no folder; give --calibration a folder of photos with people")
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    samples = [sample for _, sample in zip(range(SAMPLES), _MAKERS[card.task](photos, card), strict=False)]
    if len(samples) < FEWEST:
        what = {"detect": "photos", "keypoints": "people that the built-in detector finds"}[card.task]
        raise InputError(
            f"{str(folder)!r} holds {len(samples)} {what}, too few to calibrate int8; give {FEWEST} to"
            f" {SAMPLES}"
        )
    return np.stack(samples)


def _photos(photos: list[Path], card: ModelCard) -> Iterator[F32]:
    for photo in photos:
        yield detector_input(load_image(photo), card)[0]


def _people(photos: list[Path], card: ModelCard) -> Iterator[F32]:
    preset = find_preset("accurate")
    with Detector(DEFAULT_DETECTOR, preset=preset) as detector:
        for photo in photos:
            pixels = load_image(photo)
            size = (pixels.shape[0], pixels.shape[1])
            crops = preset.crops(detector(pixels).boxes, size, card.input_size, card.heatmap.stride)
            yield from keypoint_input(pixels, crops, card)


_MAKERS: Final[Mapping[Task, Callable[[list[Path], ModelCard], Iterator[F32]]]] = MappingProxyType(
    {"detect": _photos, "keypoints": _people}
)
