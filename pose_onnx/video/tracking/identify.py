"""Re-identification after people occluded each other or were out of sight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pose_onnx.core.arrays import F64
from pose_onnx.video.tracking.assign import assign
from pose_onnx.video.tracking.look import alike
from pose_onnx.video.tracking.person import Identity, Track

SETTLING_S: Final = 0.2
"""Time after people separate at which their identities are decided."""
LEAST_ALIKE: Final = 0.75
"""Least colour similarity of an earlier identity and an open track to be one person."""
TURNING: Final = 0.1
"""Penalty for a velocity difference, in units of colour similarity, per size per second, up to one."""
STAYING: Final = 0.03
"""Bonus for keeping the current id, in units of colour similarity."""
REACH: Final = 0.5
REACH_PER_S: Final = 1.5
"""Largest distance from the expected place, in person sizes, and its growth per second not seen alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Lost:
    """A lost track, and the time since when it is lost (seconds)."""

    identity: Identity
    since: float


def identify(tracks: list[Track], lost: list[Lost], time: float) -> tuple[list[Track], list[Lost]]:
    """Re-identify the tracks in view whose identity is open, by colour, place and velocity.

    Open are new tracks, and tracks that overlapped another one and are separate again. They are assigned to
    the identities of the separated and of the lost tracks. A track without a match is a new person.

    Returns:
        The tracks in view, in the same order, and the tracks that are lost now.
    """
    rows = [row for row, track in enumerate(tracks) if is_open(track, time)]
    known = [tracks[row].identity for row in rows if tracks[row].identity.number]
    candidates = known + [one.identity for one in lost]
    if not (rows and candidates):
        return tracks, lost
    scores = np.array([[_fit(tracks[row], identity, time) for identity in candidates] for row in rows])
    pairs = dict(assign(scores, LEAST_ALIKE))
    taken = {candidates[column].number for column in pairs.values()}
    result = list(tracks)
    for index, row in enumerate(rows):
        match = candidates[pairs[index]] if index in pairs else None
        result[row] = _told(tracks[row], match, taken, time)
    held = {track.identity.number for track in result}
    everybody = [Lost(identity, time) for identity in known] + lost
    return result, [one for one in everybody if one.identity.number not in held]


def _told(track: Track, match: Identity | None, taken: set[int], time: float) -> Track:
    """Return a track in view with the matched identity, its own, or a new one."""
    settled = time - track.mixed_at >= SETTLING_S
    mixed_at = -np.inf if settled else track.mixed_at
    if match is None and track.identity.number in taken:
        return replace(track, identity=replace(track.identity, number=0), born_at=time, mixed_at=mixed_at)
    identity = match or track.identity
    if settled:
        identity = replace(identity, time=time, place=track.sight.place())
    return replace(track, identity=identity, mixed_at=mixed_at)


def is_open(track: Track, time: float) -> bool:
    """Return whether the identity of a track is to be decided."""
    met = track.mixed_at > -np.inf
    if track.identity.number:
        return met and time - track.mixed_at >= SETTLING_S
    return True


def _fit(track: Track, identity: Identity, time: float) -> float:
    """Return how well a track in view matches an identity; 0 if the distance is too large."""
    if not is_within_reach(track, identity, time):
        return 0.0
    turned = float(np.hypot(*(track.velocity - identity.drift))) / identity.size
    look = float(alike(track.sight.look[None], identity.look[None])[0, 0])
    same = track.identity.number == identity.number
    return look + STAYING * same - TURNING * min(turned, 1.0) * (time - track.born_at > SETTLING_S)


def is_within_reach(track: Track, identity: Identity, time: float) -> bool:
    """Return whether a track in view can be the person last seen alone at that time and place."""
    apart: F64 = track.sight.place() - identity.expected_place(time)
    most = (REACH + REACH_PER_S * (time - identity.time)) * identity.size
    return bool(np.hypot(*apart) <= most)
