"""Conversion between float32 and int8: scales, zero points, rounding."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
LOWEST: Final = -128
HIGHEST: Final = 127
LEVELS: Final = HIGHEST - LOWEST
SMALLEST: Final = float(np.finfo(np.float32).tiny)  # a scale is never 0
BIAS_LIMIT: Final = 2**30  # a bias is an int32 in units of two scales; half its range is left to the sums


def weight_scales(weight: F32) -> F32:
    """Return one scale for each output channel, (M,), so that its largest weight becomes 127."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)))
    scales: F32 = np.maximum(largest / HIGHEST, SMALLEST).astype(np.float32)
    return scales


def to_int8(weight: F32, scales: F32) -> NDArray[np.int8]:
    """Round weights (M, ...) to multiples of their channel's scale, (M,)."""
    column = scales.reshape(-1, *[1] * (weight.ndim - 1))
    integers: NDArray[np.int8] = np.clip(np.rint(weight / column), -HIGHEST, HIGHEST).astype(np.int8)
    return integers


def activation_scale(low: float, high: float) -> tuple[np.float32, np.int8]:
    """Return scale and zero point of a tensor whose values are from `low` to `high`; 0 is always exact."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32(max((high - low) / LEVELS, SMALLEST))
    return scale, np.int8(np.clip(round(LOWEST - low / float(scale)), LOWEST, HIGHEST))
