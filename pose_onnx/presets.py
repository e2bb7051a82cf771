"""The two ways to run a model: accurately, or equal to PaddleDetection's deployed pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pose_onnx.core.arrays import F32
from pose_onnx.core.crops import Crops, full_image_crops, paddle_crops
from pose_onnx.errors import unknown_name

_CropFunction = Callable[[F32, tuple[int, int], tuple[int, int], int], Crops]


@dataclass(frozen=True, slots=True)
class Preset:
    """Every choice that affects results and is not part of the model.

    Attributes:
        name: As given to the classes and the command line.
        crops: How a person is cropped from the image.
        blur_kernel: Side of DARK's Gaussian; `None` for the value in the model's card.
        max_step: Longest sub-pixel step of DARK in heatmap cells; `None` for no limit.
        threshold: Boxes with a score above this are people.
        clip_boxes: Whether boxes end at the image's border.
        least_spread: A box whose colours differ by less is rejected (`pose_onnx.core.spread`).
    """

    name: str
    crops: _CropFunction
    blur_kernel: int | None
    max_step: float | None
    threshold: float
    clip_boxes: bool
    least_spread: float = 0.0


DEFAULT_PRESET: Final = "accurate"

PRESETS: Final = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            # Each value by measurement: docs/accuracy.md.
            Preset(
                DEFAULT_PRESET,
                full_image_crops,
                blur_kernel=None,
                max_step=1.0,
                threshold=0.4,
                clip_boxes=True,
                least_spread=1.0,
            ),
            # deploy/python of PaddleDetection: det_keypoint_unite_utils.py, keypoint_postprocess.py.
            Preset(
                "paddle",
                paddle_crops,
                blur_kernel=3,
                max_step=None,
                threshold=0.5,
                clip_boxes=False,
            ),
        )
    }
)


def find_preset(preset: Preset | str) -> Preset:
    """Return the named preset, or the one given.

    Raises:
        UnknownNameError: No preset has this name.
    """
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    return PRESETS[preset]
