"""The last seconds of each person's poses on an even time grid: the input of action recognition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32, F64
from pose_onnx.errors import InputError
from pose_onnx.video.frame import Frame

_CHANNELS = 3  # x, y, score


@dataclass(frozen=True, slots=True, eq=False)
class PoseWindow:
    """The last seconds of one person, oldest first.

    Attributes:
        times: (T,) float64, seconds.
        keypoints: (T, K, 2) float32, xy, image pixels; NaN where the person was not seen.
        scores: (T, K) float32; NaN likewise.
    """

    times: F64
    keypoints: F32
    scores: F32

    def seen(self) -> NDArray[np.bool_]:
        """Return (T,): when the person was seen."""
        return np.isfinite(self.scores[:, 0])


class PoseHistory:
    """Keeps one ring buffer per person.

    Times are rounded to a grid of `fps` slots per second, so that a window has the same length at any
    frame rate. Choose an `fps` no higher than the video's: slots between two frames stay NaN. People not
    seen within the window are dropped, so memory is bounded. Ids restart with each video: the first frame
    of another run clears the history.

    Args:
        seconds: Length of a window.
        fps: Slots in a second.

    Raises:
        InputError: A length or a rate that is not above 0.
    """

    def __init__(self, seconds: float = 2.0, fps: float = 10.0) -> None:
        if not (0 < seconds < np.inf and 0 < fps < np.inf):
            raise InputError(f"seconds={seconds!r} and fps={fps!r} were given; give numbers above 0")
        self.fps = fps
        self.length = max(1, round(seconds * fps))
        self._run = 0
        self._now = 0
        self._time = -np.inf
        self._rings: dict[int, F32] = {}
        self._last: dict[int, int] = {}

    @property
    def ids(self) -> tuple[int, ...]:
        """Everyone seen within the window, by id."""
        return tuple(sorted(self._rings))

    def add(self, frame: Frame) -> None:
        """Add the people of the next frame. If two frames fall into one slot, the later one is kept.

        Raises:
            InputError: The poses have no ids, or the frame has an earlier time or an earlier run.
        """
        poses = frame.poses
        if poses.ids is None:
            raise InputError("the poses have no ids; give frames of VideoPoseEstimator.run")
        if frame.run > self._run:
            self._rings, self._last = {}, {}
            self._run, self._now, self._time = frame.run, 0, -np.inf
        if frame.run < self._run or frame.time < self._time:
            raise InputError(
                f"a frame at {frame.time:.3f} s was added after one at {self._time:.3f} s of the same or a "
                "later run; use one PoseHistory per video"
            )
        self._time = frame.time
        now = round(frame.time * self.fps)
        self._clear(range(max(self._now, now - self.length) + 1, now + 1))
        self._now = now
        for index, person in enumerate(poses.ids.tolist()):
            if person not in self._rings:
                shape = (self.length, len(poses.names), _CHANNELS)
                self._rings[person] = np.full(shape, np.nan, np.float32)
            slot = self._rings[person][now % self.length]
            slot[:, :2], slot[:, 2] = poses.keypoints[index], poses.scores[index]
            self._last[person] = now
        for person in [person for person, last in self._last.items() if now - last >= self.length]:
            del self._rings[person], self._last[person]

    def _clear(self, slots: Iterable[int]) -> None:
        indices = [slot % self.length for slot in slots]
        for ring in self._rings.values():
            ring[indices] = np.nan

    def window(self, person: int) -> PoseWindow:
        """Return the last seconds of one person.

        Raises:
            InputError: No person with this id was seen within the window.
        """
        if person not in self._rings:
            raise InputError(
                f"no person with the id {person!r} was seen recently; choose from {list(self.ids)}"
            )
        slots = np.arange(self._now - self.length + 1, self._now + 1)
        ring = self._rings[person][slots % self.length]
        return PoseWindow(slots / self.fps, ring[..., :2], ring[..., 2])
