"""Parts shared by the stages of detectors and of keypoint models."""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, Image
from pose_onnx.exporters.golden._stage import Array, Golden, Stage

IMAGE: Final = "(H, W, 3) uint8 RGB, rows from the top"
BOX: Final = "x1, y1, x2, y2 in image pixels; an integer is the centre of a pixel"
NORMALIZE_BAR: Final = 1e-6
"""For a network's input, which is between -3 and 3: float32's last bits (tests/end_to_end/test_parts.py)."""


def rgb(pixels_bgr: Array) -> Array:
    """Reverse the last axis."""
    return np.ascontiguousarray(pixels_bgr[..., ::-1])


def image_input(image_bgr: Image) -> Golden:
    """Describe the picture."""
    return Golden(rgb(image_bgr), IMAGE)


def normalize_stage(card: ModelCard, pixels_rgb: Array, tensor: F32) -> Stage:
    """Return the stage from (N, h, w, 3) pixels to the network's input."""
    spec = card.picture
    return Stage(
        card.name,
        "normalize",
        "Divides pixels by 255, subtracts mean, divides by std, channels first; mean and std are in "
        "the order of `color`.",
        {"pixels": Golden(pixels_rgb, "(N, h, w, 3) uint8 RGB")},
        {
            "tensor": Golden(
                tensor,
                "(N, 3, h, w) float32",
                NORMALIZE_BAR,
                "the last bits of float32, if computed in another order",
            )
        },
        parameters={"mean": spec.mean, "std": spec.std, "color": spec.color},
    )
