"""What every source of frames offers, whatever it reads from."""

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
        live: Whether frames come at their own pace, so that some are dropped when nobody takes them.
        fps: Frames per second as the source states it; `None` where it does not.
        frame_count: Frames as the source states it; `None` where it does not.
        size: Height and width, pixels; `None` where it is not known beforehand.
        skipped: Frames so far that could not be decoded.
        missing: Once the end is reached: frames that the container promises and that did not come, since the
            file is cut or the server went away. An estimate where it states its length only.
        reconnects: How often so far a stream that broke was opened again.
        dropped: Frames of a live source so far that nobody took before the next one came.
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
        """Give the frames, each with its index and its time in seconds."""

    def stop(self) -> None:
        """Ask for no more frames, from any thread: whoever waits for one of a live source goes on.

        Returns at once; `close` is for whoever iterates, afterwards.
        """
