"""Scaling, mean and standard deviation inside the graph."""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.cards.input import InputSpec
from pose_onnx.exporters.end_to_end._values import Value

PIXEL_MAX: Final = 255.0


def normalize(pixels_rgb: Value, spec: InputSpec) -> Value:
    """Normalise (N, 3, h, w) float32 RGB pixels, 0 to 255, and put the channels in the network's order."""
    mean, std = (np.array(values)[:, None, None] for values in (spec.mean, spec.std))
    pixels = pixels_rgb if spec.color == "rgb" else pixels_rgb.take([2, 1, 0], axis=1)
    factor, offset = 1 / (PIXEL_MAX * std), mean / std
    normalized: Value = pixels * factor - offset
    return normalized
