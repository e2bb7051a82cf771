"""When to run the detector: every Nth frame, and sooner when the tracker asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np

from pose_onnx.core.boxes import box_iou
from pose_onnx.errors import InputError
from pose_onnx.video.tracking.person import Track

Every: TypeAlias = int | Literal["auto"]
"""Frames from one detection to the next."""

LONGEST_S: Final = 0.5
"""Automatic: a new person is found after this time at the latest."""
MOST_FRAMES: Final = 15
"""Automatic: maximum number of frames from one detection to the next."""
TRAVEL: Final = 1.0
"""Automatic: nobody moves further than this from one detection to the next, in person sizes."""
CROWDED_IOU: Final = 0.1
"""Automatic: if boxes overlap by more, the detector runs on every `CROWDED_FRAMES`-th frame at least."""
CROWDED_FRAMES: Final = 3
LOOKING_FRAMES: Final = 3
"""While a track is lost or uncertain, the detector runs on every third frame at least."""


def check_every(every: Every) -> Every:
    """Return `every`.

    Raises:
        InputError: Neither "auto" nor a whole number from 1.
    """
    if every == "auto" or (isinstance(every, int) and every >= 1):
        return every
    raise InputError(f'every={every!r} was given; give a whole number of 1 or more, or "auto"')


def frames_between(every: Every, tracks: Sequence[Track], step: float, *, unsure: bool) -> int:
    """Return after how many frames the next detection is due.

    Args:
        every: Setting of the caller.
        tracks: The tracks in view.
        step: Seconds from frame to frame.
        unsure: Whether a track is uncertain, or a lost one may come back.
    """
    frames = _by_motion(tracks, step) if every == "auto" else every
    return min(frames, LOOKING_FRAMES) if unsure else frames


def _by_motion(tracks: Sequence[Track], step: float) -> int:
    frames = min(MOST_FRAMES, int(LONGEST_S / step))
    if tracks:
        speed = max(float(np.hypot(*track.velocity)) / track.identity.size for track in tracks)
        frames = min(frames, int(TRAVEL / max(speed * step, TRAVEL / MOST_FRAMES)))
        boxes = np.stack([track.sight.box for track in tracks])
        if (np.triu(box_iou(boxes, boxes), 1) > CROWDED_IOU).any():
            frames = min(frames, CROWDED_FRAMES)
    return max(1, frames)
