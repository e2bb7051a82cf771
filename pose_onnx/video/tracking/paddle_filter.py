"""PaddleDetection's own smoothing, for comparison: for one person, in frames instead of seconds.

From deploy/python/det_keypoint_unite_infer.py of PaddleDetection: a joint that moved by less than a threshold
(in parts of the frame's width and height) stays; any other goes through a One-Euro filter that takes every
frame for one unit of time. Nothing is done where there is not exactly one person, and nothing is ever reset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pose_onnx.core.arrays import F64
from pose_onnx.poses import Poses

_FACE_JOINTS: Final = 5
_FACE_STEP: Final = 0.005
_BODY_STEP: Final = 0.01
_STEP_FACTOR: Final = 0.3
_MIN_CUTOFF: Final = 0.1
_BETA: Final = 0.05
_D_CUTOFF: Final = 0.1


@dataclass(frozen=True, slots=True)
class PaddleFilter:
    """The reference filter with its constants."""

    def start(self) -> PaddleSmoothing:
        """Begin a video."""
        return PaddleSmoothing()


class PaddleSmoothing:
    """Filters the only person of a video."""

    def __init__(self) -> None:
        self._last: F64 | None = None
        self._speed: F64 | None = None

    def __call__(self, poses: Poses, time: float, image_size: tuple[int, int]) -> Poses:
        """Return the poses, filtered if there is exactly one person."""
        del time  # the reference counts frames
        if len(poses) != 1:
            return poses
        points = poses.keypoints[0].astype(np.float64)
        if self._last is None or self._speed is None:
            self._last, self._speed = points, np.zeros_like(points)
            return poses
        limits = np.full(len(points), _BODY_STEP) * _STEP_FACTOR
        limits[:_FACE_JOINTS] = _FACE_STEP * _STEP_FACTOR
        moved = np.hypot(*((points - self._last) / np.array(image_size[::-1])).T) >= limits
        speed = self._speed + _weight(np.asarray(_D_CUTOFF)) * (points - self._last - self._speed)
        weights = _weight(_MIN_CUTOFF + _BETA * np.abs(speed))
        smooth = self._last + weights * (points - self._last)
        self._speed = np.where(moved[:, None], speed, self._speed)
        self._last = np.where(moved[:, None], smooth, self._last)
        return replace(poses, keypoints=self._last[None].astype(np.float32))


def _weight(cutoff: F64) -> F64:
    turns = 2 * np.pi * cutoff  # for a time step of one frame
    return turns / (turns + 1)
