"""Where people will be: constant velocity that dies away, and boxes from keypoints."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pose_onnx._types import F64

VELOCITY_MEMORY_S: Final = 0.15
"""Time constant with which the velocity follows what is measured."""
COASTING_S: Final = 1.0
"""Time constant with which the velocity of someone who is not seen dies away."""
MARGIN: Final = np.array([0.12, 0.12, 0.12, 0.08])
"""A box beyond the keypoints on the left, above, right and below, in sizes of the keypoints' extent: where no
detection said."""
MOST_MARGIN: Final = 0.35
_LEAST_SIDE: Final = 4.0  # pixels


def coasting(passed: float) -> float:
    """Return the seconds of travel at full speed that equal `passed` seconds at a speed that dies away."""
    return COASTING_S * (1 - math.exp(-passed / COASTING_S))


def follow_velocity(velocity: F64, shift: F64, passed: float) -> F64:
    """Return the new velocity of a person.

    Args:
        velocity: (2,), pixels per second.
        shift: (2,), pixels, how far the person went.
        passed: Seconds meanwhile.
    """
    weight = 1 - math.exp(-passed / VELOCITY_MEMORY_S)
    new: F64 = velocity + weight * (shift / passed - velocity)
    return new


def joints_box(points: F64) -> F64:
    """Return (4,): the smallest box around (K, 2) points, K at least 1, not thinner than 4 pixels."""
    low, high = points.min(axis=0), points.max(axis=0)
    pad = np.maximum(_LEAST_SIDE - (high - low), 0) / 2
    return np.concatenate([low - pad, high + pad])


def margins_of(box: F64, joints: F64) -> F64:
    """Return (4,): how far a box reaches beyond its joints' box, in sizes of the latter, within limits."""
    sides = np.tile(joints[2:] - joints[:2], 2)
    margins: F64 = ((joints - box) * _OUTWARD / sides).clip(0, MOST_MARGIN)
    return margins


def with_margins(joints: F64, margins: F64) -> F64:
    """Return (4,): the joints' box, larger by the margins; the inverse of `margins_of`."""
    sides = np.tile(joints[2:] - joints[:2], 2)
    box: F64 = joints - margins * _OUTWARD * sides
    return box


_OUTWARD: Final = np.array([1.0, 1.0, -1.0, -1.0])
