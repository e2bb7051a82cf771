"""One frame of a video and the people in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pose_onnx.core.arrays import Image
from pose_onnx.poses import Poses

ASSUMED_FPS: Final = 25.0
"""Frames per second if neither the source nor the caller specifies it."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What was found in one frame.

    Attributes:
        index: Number of the frame in its source, from 0; dropped and broken frames leave gaps.
        time: Seconds: the frame's own time stamp; for a live source, the time since its first frame.
        image: (H, W, 3) uint8, BGR.
        poses: The people, with `ids`, in the order of their ids.
        detected: Whether the detector ran on this frame; if not, people were tracked.
        run: Number of the run or session, increasing within this process. Ids are valid in that run only.
    """

    index: int
    time: float
    image: Image
    poses: Poses
    detected: bool
    run: int = 0
