"""The interface of all frame sources."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TypeAlias

from pose_onnx.closing import Closing
from pose_onnx.core.arrays import Image

TimedImage: TypeAlias = tuple[int, float, Image]
"""Index of a frame, its time in seconds, and its (H, W, 3) uint8 pixels, BGR."""


class FrameSource(Closing):
    """Frames with their numbers and times, to be iterated over once, and closed.

    Indices count the frames of the source from 0; a frame that was dropped or could not be decoded leaves a
    gap. Times increase from frame to frame.

    Attributes:
        live: Whether frames arrive at their own pace, so that frames not taken in time are dropped.
        fps: Frames per second as the source states it; `None` if it does not.
        frame_count: Number of frames as the source states it; `None` if it does not.
        size: Height and width, pixels; `None` if not known beforehand.
        skipped: Number of frames so far that could not be decoded.
        missing: At the end: number of promised frames that did not come because the file is cut off or the
            server was lost. An estimate if the container states only its length.
        reconnects: How often a broken stream was reopened so far.
        dropped: Number of frames of a live source that were replaced by a newer one before being taken.
    """

    live: bool
    fps: float | None
    frame_count: int | None
    size: tuple[int, int] | None
    skipped: int
    missing: int
    reconnects: int
    dropped: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[TimedImage]:
        """Yield the frames, each with its index and its time in seconds."""

    def stop(self) -> None:
        """Stop reading, from any thread; a consumer waiting for a live frame is released.

        Returns at once. The iterating thread calls `close` afterwards.
        """
