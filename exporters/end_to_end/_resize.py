"""The detector's resize inside the graph: cubic convolution, rounded to whole grey levels as in the core.

OpenCV's INTER_CUBIC gives one of two results. In builds with Intel's IPP (the wheels for x86), its weights
are floats, and about one value in 10,000 differs from this result, by one grey level. In other builds the
weights are multiples of 1/2048, and a few percent of the values differ, also by one grey level.

ONNX has a cubic Resize, but ONNX Runtime runs it on float planes only, so the whole photo would have to be
converted. Gathers read only the rows and columns that are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose_onnx.exporters.end_to_end._values import Value

Places: TypeAlias = "Value | NDArray[Any]"
CHANNELS: Final = 3
TAPS: Final = 4
SHARPNESS: Final = -0.75
"""The parameter a of the cubic convolution kernel (Keys, 1981) that OpenCV takes."""


def resize_cubic(image: Value, size: tuple[int, int]) -> Value:
    """Resize an image without keeping its aspect ratio.

    Args:
        image: (H, W, 3) uint8.
        size: Height and width of the result, pixels.

    Returns:
        (1, 3, h, w) float32, whole numbers 0 to 255.
    """
    sources = [image.shape(axis) for axis in range(2)]
    steps = [source.cast(np.float64) / side for source, side in zip(sources, size, strict=True)]
    return _resized(image, [np.arange(side) for side in size], steps)


def resize_cubic_by(image: Value, size: Value, steps: Value) -> Value:
    """Resize an image to a size that is computed in the graph.

    Args:
        image: (H, W, 3) uint8.
        size: (2,) int64, height and width of the result, pixels.
        steps: (2,) float64, the image's pixels per pixel of the result.

    Returns:
        As `resize_cubic`.
    """
    sides = [size.take(axis) for axis in range(2)]
    places = [side.constant(0).apply("Range", side, 1).cast(np.float64) for side in sides]
    return _resized(image, places, [steps.take([axis]) for axis in range(2)])


def _resized(image: Value, places: Sequence[Places], steps: Sequence[Value]) -> Value:
    row_cells, row_weights = _taps(image.shape(0), places[0], steps[0])
    column_cells, column_weights = _taps(image.shape(1), places[1], steps[1])
    rows = image.take(row_cells).reshape(0, TAPS, -1).cast(np.float32)
    tall = (row_weights.unsqueeze(1) @ rows).reshape(0, -1, CHANNELS)
    # Transposed, so that each column, like each row before, is one piece of memory: twice as fast.
    columns = tall.transpose(1, 2, 0).reshape(0, -1).take(column_cells)
    resized = (column_weights.unsqueeze(1) @ columns).reshape(0, CHANNELS, -1)
    return resized.apply("Round").clip(0.0, 255.0).transpose(1, 2, 0).unsqueeze(0)


def _taps(source: Value, places: Places, step: Value) -> tuple[Value, Value]:
    """Return which source pixels along an axis make up each target pixel, and their weights.

    Args:
        source: (1,) int64, pixels of the axis.
        places: (target,), the target pixels: 0, 1, ...
        step: (1,) float64, source pixels per target pixel.

    Returns:
        cells: (target, 4) int64.
        weights: (target, 4) float32.
    """
    centers = (step * (places + 0.5) - 0.5).cast(np.float32)
    before = centers.apply("Floor")
    x = centers - before
    a = SHARPNESS
    y, z = x + 1.0, 1.0 - x
    outer = ((y * a - 5 * a) * y + 8 * a) * y - 4 * a
    inner = (x * (a + 2) - (a + 3)) * x * x + 1.0
    next_ = (z * (a + 2) - (a + 3)) * z * z + 1.0
    last = 1.0 - outer - inner - next_
    weights = outer.unsqueeze(1).join(*(w.unsqueeze(1) for w in (inner, next_, last)), axis=1)
    cells = before.cast(np.int64).unsqueeze(1) + (np.arange(TAPS) - 1)[None]
    return cells.clip(0, source - 1), weights
