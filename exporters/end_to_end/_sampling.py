"""Crops people from the image with gathers: bit for bit the arithmetic of `pose_onnx.core.warping`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pose_onnx.core.warping import COORDINATE_BITS, WEIGHT_BITS
from pose_onnx.exporters.end_to_end._crops import CropValues
from pose_onnx.exporters.end_to_end._values import Value

CHANNELS: Final = 3
_UNIT: Final = 1 << COORDINATE_BITS
_FINE: Final = 1 << WEIGHT_BITS
_STEP: Final = _UNIT // _FINE


@dataclass(frozen=True, slots=True)
class _Tap:
    """One of the two pixels that a coordinate lies between, along one axis of the crop.

    Attributes:
        cell: (N, size) int32, index into the image, clipped to its borders.
        weight: (N, size) float32, 0 to 1; 0 where the pixel was outside.
    """

    cell: Value
    weight: Value


def sample(image: Value, crops: CropValues, size: tuple[int, int]) -> Value:
    """Resample N crops bilinearly, with black outside the image.

    Args:
        image: (H, W, 3) uint8.
        crops: Where they are.
        size: Height and width of a crop, pixels.

    Returns:
        (N, 3, h, w) float32, whole numbers 0 to 255.
    """
    height, width = size
    # Rounded as in cv2.invertAffineTransform. Div is not used: ONNX Runtime would fuse it into one division,
    # and a coordinate half-way between two fixed-point numbers would become the other one.
    inverse = crops.scale * (crops.scale * crops.scale).apply("Reciprocal")
    start_x, start_y = (-(crops.shift * inverse)).split(2, axis=1)
    place_x = (inverse * np.arange(width)[None] * _UNIT).apply("Round") + (start_x * _UNIT).apply("Round")
    place_y = ((inverse * np.arange(height)[None] + start_y) * _UNIT).apply("Round")
    across = _taps(place_x, image.shape(1))
    down = _taps(place_y, image.shape(0))

    pixels = image.reshape(-1, CHANNELS)  # a view of the image, not a copy
    row_length = image.shape(1).cast(np.int32)
    lines = []
    for row in down:
        first = (row.cell * row_length).unsqueeze(2)
        ends = [
            _flat(pixels.take(first + column.cell.unsqueeze(1)), height, width)
            * _spread(column.weight, width)
            for column in across
        ]
        lines.append((ends[0] + ends[1]) * row.weight.unsqueeze(2))
    rounded = (lines[0] + lines[1] + 0.5).apply("Floor")
    return rounded.reshape(-1, height, width, CHANNELS).transpose(0, 3, 1, 2)


def _taps(place: Value, limit: Value) -> tuple[_Tap, _Tap]:
    """Convert fixed-point coordinates, (N, size) float64 with `_UNIT` per pixel, to two weighted pixels."""
    fine = ((place + _STEP // 2) / _STEP).apply("Floor")
    cell = (fine / _FINE).apply("Floor")
    fraction = (fine / _FINE - cell).cast(np.float32)
    last = limit.cast(np.float64) - 1.0
    return _tap(cell, 1.0 - fraction, last), _tap(cell + 1.0, fraction, last)


def _tap(cell: Value, weight: Value, last: Value) -> _Tap:
    inside = cell.clip(0.0, last)
    is_outside = (inside - cell).apply("Abs") > 0.0
    return _Tap(inside.cast(np.int32), is_outside.where(0.0, weight))


def _flat(pixels: Value, height: int, width: int) -> Value:
    """Return (N, h, w, 3) pixels as (N, h, w * 3) float32: long rows are fast to compute with."""
    return pixels.reshape(-1, height, width * CHANNELS).cast(np.float32)


def _spread(weights: Value, width: int) -> Value:
    """Return (N, w) weights as (N, 1, w * 3): each one repeated for all channels."""
    channels = weights.constant(np.ones((1, 1, CHANNELS)))
    return (weights.unsqueeze(2) * channels).reshape(-1, 1, width * CHANNELS)
