"""Who is who after people were in each other's way, or out of sight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pose_onnx.core.arrays import F64
from pose_onnx.video.tracking.assign import assign
from pose_onnx.video.tracking.look import alike
from pose_onnx.video.tracking.person import Identity, Track

SETTLING_S: Final = 0.2
"""So long after people parted it is decided who is who."""
LEAST_ALIKE: Final = 0.75
"""Of the looks of somebody seen before and somebody to be told, to be one person."""
TURNING: Final = 0.1
"""What another velocity counts, in parts of a look, for each size per second, up to one."""
STAYING: Final = 0.03
"""What speaks for everyone keeping their ids, in parts of a look."""
REACH: Final = 0.5
REACH_PER_S: Final = 1.5
"""How far from the expected place somebody may be found, in person sizes, and per second not seen alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Lost:
    """Somebody who is out of sight, and since when (seconds)."""

    identity: Identity
    since: float


def identify(tracks: list[Track], lost: list[Lost], time: float) -> tuple[list[Track], list[Lost]]:
    """Decide who is who, of those in view whose identity is open, by look, place and velocity.

    Open are those who are new, and those who met somebody and are by themselves again; they are assigned to
    the identities of the latter and of the lost. Who gets none is somebody new.

    Returns:
        Those in view, in the same order, and those who are lost now.
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
    """Return somebody in view with the identity that was found, or their own, or a new one."""
    settled = time - track.mixed_at >= SETTLING_S
    mixed_at = -np.inf if settled else track.mixed_at
    if match is None and track.identity.number in taken:
        return replace(track, identity=replace(track.identity, number=0), born_at=time, mixed_at=mixed_at)
    identity = match or track.identity
    if settled:
        identity = replace(identity, time=time, place=track.sight.place())
    return replace(track, identity=identity, mixed_at=mixed_at)


def is_open(track: Track, time: float) -> bool:
    """Say whether it is to be decided who somebody is."""
    met = track.mixed_at > -np.inf
    if track.identity.number:
        return met and time - track.mixed_at >= SETTLING_S
    return True


def _fit(track: Track, identity: Identity, time: float) -> float:
    """Say how well somebody in view fits an identity; 0 where the one cannot have come to the other."""
    if not is_within_reach(track, identity, time):
        return 0.0
    turned = float(np.hypot(*(track.velocity - identity.drift))) / identity.size
    look = float(alike(track.sight.look[None], identity.look[None])[0, 0])
    same = track.identity.number == identity.number
    return look + STAYING * same - TURNING * min(turned, 1.0) * (time - track.born_at > SETTLING_S)


def is_within_reach(track: Track, identity: Identity, time: float) -> bool:
    """Say whether somebody in view can be somebody last seen alone at that time and place."""
    apart: F64 = track.sight.place() - identity.expected_place(time)
    most = (REACH + REACH_PER_S * (time - identity.time)) * identity.size
    return bool(np.hypot(*apart) <= most)
