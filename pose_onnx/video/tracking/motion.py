"""Motion prediction: a constant velocity that decays, and boxes from keypoints."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32, F64

LEAST_SIZE: Final = 1.0
"""Least size of a person, pixels: used for a box without area, to avoid division by zero."""
COASTING_S: Final = 1.0
"""Time constant with which the velocity of an unseen person decays."""
MIN_JOINTS: Final = 3
"""With fewer common joints, a box is not moved."""
SCALING_JOINTS: Final = 5
MOST_SCALING: Final = 1.25
"""Maximum factor by which a box grows or shrinks with its joints between two detections."""


def person_size(box: F64 | F32) -> float:
    """Return a person's unit of length: the square root of the area of the box (4,), pixels."""
    width, height = np.maximum(box[2:] - box[:2], 0).tolist()
    return max(math.sqrt(width * height), LEAST_SIZE)


def coasting(passed: float) -> float:
    """Return the time at full speed that covers the same distance as `passed` at a decaying speed."""
    return COASTING_S * (1 - math.exp(-passed / COASTING_S))


def follow(usual: F64 | float, now: F64 | float, passed: float, memory: float) -> F64:
    """Return an exponential moving average: one step of a first-order low-pass filter.

    Args:
        usual: The mean so far.
        now: The new value.
        passed: Seconds since the previous value.
        memory: Time constant, seconds.
    """
    return np.asarray(usual + (1 - math.exp(-passed / memory)) * (now - usual))


def carry_box(box: F64, points: F64, now: F64, sure: NDArray[np.bool_]) -> F64:
    """Return the box after it moved with its joints.

    It moves with the median of the joints and scales with their spread, so that a few wrong or temporarily
    uncertain joints do not change its shape.

    Args:
        box: (4,), xyxy, pixels.
        points: (K, 2), the joints when the box was taken.
        now: (K, 2), the joints now.
        sure: (K,), which joints are reliable both then and now.
    """
    points, now = points[sure], now[sure]
    if len(points) < MIN_JOINTS:
        return box
    before, after = median(points), median(now)
    scale = 1.0
    if len(points) >= SCALING_JOINTS:
        scale = _ratio(_spread(points, before), _spread(now, after))
    # Each corner moves as if it were a joint.
    corners: F64 = (box.reshape(2, 2) - before) * scale + after
    return corners.ravel()


def median(values: F64) -> F64:
    """Return the median of (N, D) over N, N at least 1; for an even N the upper of the middle two."""
    # np.median takes ten times as long for so few values.
    middle: F64 = np.sort(values, axis=0)[len(values) // 2]
    return middle


def _spread(points: F64, middle: F64) -> float:
    return float(np.abs(points - middle).mean())


def include(box: F64, points: F64) -> F64:
    """Return a box that is large enough for (M, 2) points."""
    low = np.minimum(box[:2], points.min(axis=0, initial=np.inf))
    high = np.maximum(box[2:], points.max(axis=0, initial=-np.inf))
    return np.concatenate([low, high])


def _ratio(before: float, now: float) -> float:
    return float(np.clip(now / max(before, _LEAST_SPREAD), 1 / MOST_SCALING, MOST_SCALING))


_LEAST_SPREAD: Final = 1.0  # pixels
