"""What is known of one person who is followed, and how it changes when the person is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx._types import F64, JOINT_THRESHOLD
from pose_onnx.video._motion import (
    MARGIN,
    coasting,
    follow_velocity,
    joints_box,
    margins_of,
    with_margins,
)

MIN_JOINTS: Final = 3
"""With fewer sure joints there is nothing to follow a person by."""
_QUALITY_MEMORY_S: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One pose found in one frame.

    Attributes:
        points: (K, 2), image pixels.
        scores: (K,).
        box: (4,), that the person was cropped by, image pixels.
        box_score: The detector's.
        detected: Whether the box is the detector's; if not, it was expected from earlier frames.
    """

    points: F64
    scores: F64
    box: F64
    box_score: float
    detected: bool

    def sure(self) -> NDArray[np.bool_]:
        """Return (K,): which joints are surely there."""
        return self.scores > JOINT_THRESHOLD


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One person.

    Attributes:
        sight: When last seen.
        time: Of that, seconds.
        detected_at: When the detector last found the person, seconds.
        velocity: (2,), pixels per second.
        margins: (4,), of the detector's box around the sure joints.
        quality: Usual mean score of the joints.
        number: The id; 0 until the person is confirmed.
        hits: Frames in which the person was seen.
        misses: Runs of the detector since it last found the person.
        lost: Whether the person was not seen in the last frame.
    """

    sight: Sight
    time: float
    detected_at: float
    velocity: F64
    margins: F64
    quality: float
    number: int = 0
    hits: int = 1
    misses: int = 0
    lost: bool = False

    def shift(self, time: float) -> F64:
        """Return (2,): how far the person is expected to have gone since last seen, pixels."""
        return self.velocity * coasting(time - self.time)

    def expected_points(self, time: float) -> F64:
        """Return (K, 2): where the joints are expected, image pixels."""
        return self.sight.points + self.shift(time)

    def expected_box(self, time: float) -> F64:
        """Return (4,): where the person is expected, image pixels."""
        sure = self.sight.sure()
        if sure.sum() < MIN_JOINTS:
            return self.sight.box + np.tile(self.shift(time), 2)
        box = with_margins(joints_box(self.sight.points[sure]), self.margins)
        return box + np.tile(self.shift(time), 2)


def begin(sight: Sight, time: float) -> Track:
    """Return the track of someone seen for the first time."""
    return Track(sight, time, time, np.zeros(2), _margins(sight, MARGIN), float(sight.scores.mean()))


def see(track: Track, sight: Sight, time: float, *, looked: bool) -> Track:
    """Return the track of someone seen again, in a frame at which the detector looked or not."""
    passed = time - track.time
    both = track.sight.sure() & sight.sure()
    velocity = track.velocity
    if both.sum() >= MIN_JOINTS:
        shift = np.median(sight.points[both] - track.sight.points[both], axis=0)
        velocity = follow_velocity(velocity, shift, passed)
    weight = 1 - math.exp(-passed / _QUALITY_MEMORY_S)
    now = float(sight.scores.mean())
    return replace(
        track,
        sight=sight if sight.detected else replace(sight, box_score=track.sight.box_score),
        time=time,
        detected_at=time if sight.detected else track.detected_at,
        velocity=velocity,
        margins=_margins(sight, track.margins) if sight.detected else track.margins,
        quality=now if sight.detected else track.quality + weight * (now - track.quality),
        hits=track.hits + 1,
        misses=0 if sight.detected else track.misses + looked,
        lost=False,
    )


def miss(track: Track) -> Track | None:
    """Return the track of someone not seen in this frame; `None` for one who was never confirmed."""
    return replace(track, lost=True) if track.number else None


def _margins(sight: Sight, otherwise: F64) -> F64:
    sure = sight.sure()
    if sure.sum() < MIN_JOINTS:
        return otherwise
    return margins_of(sight.box, joints_box(sight.points[sure]))
