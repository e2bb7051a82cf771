"""The detector's resize inside the graph: cubic convolution, rounded to whole grey levels as in the core.

OpenCV's INTER_CUBIC gives one of two results. In builds with Intel's IPP (the wheels for x86), its weights
are floats, and about one value in 10,000 differs from this result, by one grey level. In other builds the
weights are multiples of 1/2048, and a few percent of the values differ, also by one grey level.

ONNX has a cubic Resize, but ONNX Runtime runs it on float planes only, so the whole photo would have to be
converted. Gathers read only the rows and columns that are needed.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.exporters.end_to_end._values import Value

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
    height, width = size
    row_cells, row_weights = _taps(image.shape(0), height)
    column_cells, column_weights = _taps(image.shape(1), width)
    rows = image.take(row_cells).reshape(height, TAPS, -1).cast(np.float32)
    tall = (row_weights.unsqueeze(1) @ rows).reshape(height, -1, CHANNELS)
    # Transposed, so that each column, like each row before, is one piece of memory: twice as fast.
    columns = tall.transpose(1, 2, 0).reshape(-1, CHANNELS * height).take(column_cells)
    resized = (column_weights.unsqueeze(1) @ columns).reshape(width, CHANNELS, height)
    return resized.apply("Round").clip(0.0, 255.0).transpose(1, 2, 0).unsqueeze(0)


def _taps(source: Value, target: int) -> tuple[Value, Value]:
    """Return which source pixels along an axis make up each target pixel, and their weights.

    Args:
        source: (1,) int64, pixels of the axis.
        target: Pixels of the result.

    Returns:
        cells: (target, 4) int64.
        weights: (target, 4) float32.
    """
    length = source.cast(np.float64)
    centers = ((length / target) * (np.arange(target) + 0.5) - 0.5).cast(np.float32)
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
