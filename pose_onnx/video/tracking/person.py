"""One tracked person: body position and identity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F64
from pose_onnx.poses import JOINT_THRESHOLD
from pose_onnx.video.tracking.motion import (
    MIN_JOINTS,
    carry_box,
    coasting,
    follow,
    include,
    median,
    person_size,
)

VELOCITY_S: Final = 0.15
"""Time constant with which the velocity follows the measured one."""
USUAL_S: Final = 1.0
"""Time constant with which a person's usual values follow the measured ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One pose found in one frame.

    Attributes:
        points: (K, 2), image pixels.
        scores: (K,).
        box: (4,), the box of the person's crop, image pixels.
        box_score: The detector's.
        look: (D,), colours.
        detected: Whether the box is the detector's; if not, it was expected from earlier frames.
        free: Whether no other box overlaps, so that the colours belong to this person only.
    """

    points: F64
    scores: F64
    box: F64
    box_score: float
    look: F64
    detected: bool
    free: bool

    def sure(self) -> NDArray[np.bool_]:
        """Return (K,): which joints are reliable."""
        return self.scores > JOINT_THRESHOLD

    def quality(self) -> float:
        """Return the mean score of the joints."""
        return float(self.scores.mean())

    def place(self) -> F64:
        """Return (2,): the middle of the box."""
        middle: F64 = (self.box[:2] + self.box[2:]) / 2
        return middle


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """The identity of a track: its usual values while nobody else overlapped.

    Attributes:
        number: The id; 0 if the track is not confirmed.
        time: When last seen and free, seconds.
        place: (2,), position at that time, image pixels.
        drift: (2,), usual velocity, pixels per second.
        size: Usual `person_size`, pixels.
        quality: Usual mean score of the joints.
        look: (D,), usual colours.
    """

    number: int
    time: float
    place: F64
    drift: F64
    size: float
    quality: float
    look: F64

    def expected_place(self, time: float) -> F64:
        """Return (2,): the expected position now."""
        return self.place + self.drift * coasting(time - self.time)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A track in view.

    Attributes:
        sight: The detection in the last frame.
        anchor: The detection when the detector last found the person; its box moves along with the joints.
        identity: The identity of the track.
        born_at: When first seen, seconds.
        time: Of the last frame, seconds.
        detected_at: When the detector last found the person, seconds.
        mixed_at: When another person last overlapped, seconds; minus infinity if the identity is settled.
        velocity: (2,), pixels per second.
        hits: Frames in which the person was seen.
        misses: Runs of the detector since it last found the person.
    """

    sight: Sight
    anchor: Sight
    identity: Identity
    born_at: float
    time: float
    detected_at: float
    mixed_at: float
    velocity: F64
    hits: int = 1
    misses: int = 0

    def expected_points(self, time: float) -> F64:
        """Return (K, 2): where the joints are expected, image pixels."""
        return self.sight.points + self._shift(time)

    def expected_box(self, time: float) -> F64:
        """Return (4,): where the person is expected, image pixels."""
        sure, points = self.sight.sure(), self.sight.points
        box = carry_box(self.anchor.box, self.anchor.points, points, sure & self.anchor.sure())
        return include(box, points[sure]) + np.tile(self._shift(time), 2)

    def _shift(self, time: float) -> F64:
        return self.velocity * coasting(time - self.time)


def begin(sight: Sight, time: float) -> Track:
    """Return the track of a person seen for the first time."""
    still = np.zeros(2)
    identity = Identity(0, time, sight.place(), still, person_size(sight.box), sight.quality(), sight.look)
    mixed_at = -np.inf if sight.free else time
    return Track(sight, sight, identity, time, time, time, mixed_at, still)


def see(track: Track, sight: Sight, time: float, *, looked: bool) -> Track:
    """Return the track of a person seen again, whether or not the detector ran on this frame."""
    passed = time - track.time
    both = track.sight.sure() & sight.sure()
    velocity = track.velocity
    if both.sum() >= MIN_JOINTS:
        moved = median(sight.points[both] - track.sight.points[both]) / passed
        velocity = follow(velocity, moved, passed, VELOCITY_S)
    settled = sight.free and track.mixed_at == -np.inf
    return replace(
        track,
        sight=sight if sight.detected else replace(sight, box_score=track.sight.box_score),
        anchor=sight if sight.detected else track.anchor,
        identity=_learn(track.identity, sight, velocity, time) if settled else track.identity,
        time=time,
        detected_at=time if sight.detected else track.detected_at,
        mixed_at=track.mixed_at if sight.free else time,
        velocity=velocity,
        hits=track.hits + 1,
        misses=0 if sight.detected else track.misses + looked,
    )


def _learn(identity: Identity, sight: Sight, velocity: F64, time: float) -> Identity:
    passed = time - identity.time
    return Identity(
        identity.number,
        time,
        sight.place(),
        follow(identity.drift, velocity, passed, USUAL_S),
        float(follow(identity.size, person_size(sight.box), passed, USUAL_S)),
        float(follow(identity.quality, sight.quality(), passed, USUAL_S)),
        follow(identity.look, sight.look, passed, USUAL_S),
    )
