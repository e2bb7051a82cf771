"""A video file: every frame, in order, however long it takes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pose_onnx.addresses import redacted
from pose_onnx.budget import MEMORY
from pose_onnx.errors import InputError
from pose_onnx.video.frame import ASSUMED_FPS
from pose_onnx.video.sources.capture import Capture, open_capture
from pose_onnx.video.sources.promise import Promise, promise_of
from pose_onnx.video.sources.source import FrameSource, TimedImage

_LOG = logging.getLogger(__name__)

_MOST_BAD_FRAMES: Final = 60
"""So many broken frames in a row are the end of a file."""
_BYTES_PER_PIXEL: Final = 9
"""What reading takes: four pictures of 1.5 bytes in a decoder that needs earlier ones, one of 3 for us."""
_ROUNDING_S: Final = 0.002
"""Matroska's time stamps are whole milliseconds."""


class FileSource(FrameSource):
    """The frames of a video file, or of an address that knows how many it has.

    Args:
        name: Path or address.
        capture: The opened file.
        fps: Frames per second instead of the file's own time stamps.
        start: Frames before this time (seconds) are skipped.
        first: Frames before this index are skipped.

    Raises:
        InputError: It declares pictures for which the budget (`pose_onnx.budget`) has no memory.
    """

    def __init__(
        self, name: str, capture: Capture, *, fps: float | None = None, start: float = 0.0, first: int = 0
    ) -> None:
        _check_size(name, capture)
        self.live = False
        self.fps = fps or capture.fps
        self.frame_count = capture.frame_count
        self.size = capture.size
        self.skipped = self.reconnects = self.missing = 0
        self._name = name
        self._capture = capture
        self._given_fps = fps
        self._start, self._first = start, first

    def __iter__(self) -> Iterator[TimedImage]:
        step = 1 / (self._capture.fps or self.fps or ASSUMED_FPS)
        index, stamp, longest = -1, -step, step
        while ahead := self._next_frame():
            bad = range(index + 1, index + ahead)
            index += ahead
            self.skipped += sum(each >= self._first for each in bad)
            # Passing over frames is exact, with any codec; seeking is not.
            previous, stamp = stamp, next_time(self._capture.seconds(), stamp, step * ahead)
            longest = max(longest, (stamp - previous) / ahead)
            time = index / self._given_fps if self._given_fps else stamp
            if time < self._start or index < self._first:
                continue
            if (image := self._capture.retrieve()) is None:
                self.skipped += 1
                continue
            yield index, time, image
        self._count_missing(index + 1, step, stamp + longest)

    def _next_frame(self) -> int:
        """Go to the next frame that can be decoded; return how far it is, 0 at the end."""
        return next((ahead for ahead in range(1, _MOST_BAD_FRAMES + 1) if self._capture.grab()), 0)

    def _count_missing(self, count: int, step: float, end: float) -> None:
        """Compare the frames that came with what the container promises.

        Args:
            count: Frames that came.
            step: Seconds from frame to frame as OpenCV says.
            end: When the last of them ends if it is shown for as long as any other, seconds.
        """
        if not self.frame_count or (self.skipped and count >= self.frame_count):
            return  # nothing is promised, or every frame is accounted for
        if count >= self.frame_count and end + _ROUNDING_S >= self.frame_count * step:
            return
        promise = promise_of(self._name, self.frame_count, 1 / step)
        self.missing = _missing(promise, count, end, step)
        if self.missing:
            _LOG.warning("%s: ended after %d of %d frames", redacted(self._name), count, count + self.missing)

    def close(self) -> None:
        """Close the file."""
        self._capture.close()


def _check_size(name: str, capture: Capture) -> None:
    height, width = capture.size or (0, 0)
    if height * width * _BYTES_PER_PIXEL > MEMORY:
        capture.close()
        raise InputError(
            f"{redacted(name)!r} declares pictures of {width} x {height} pixels, too many for the memory;"
            f" give a video with at most {MEMORY // _BYTES_PER_PIXEL:,} pixels, or an intact copy"
        )


def _missing(promise: Promise, count: int, end: float, step: float) -> int:
    """Return how many frames did not come.

    Of a promise in seconds it is told by the rate of those that did, and by the nominal one if none did.
    """
    if promise.frames is not None:
        return max(0, promise.frames - count)
    if promise.seconds is None or end + _ROUNDING_S >= promise.seconds:
        return 0
    rate = count / end if count else 1 / step
    return max(1, round(rate * promise.seconds) - count)


def open_file(path: Path, *, fps: float | None, start: float, first: int) -> FileSource:
    """Open a video file.

    Raises:
        InputError: It is missing, or no video that OpenCV can read.
    """
    if not path.exists():
        raise InputError(
            f"{str(path)!r} does not exist; give a video file, a folder of frames, a camera or a URL"
        )
    if (capture := open_capture(str(path))) is None:
        raise InputError(
            f"{str(path)!r} is not a video that OpenCV can read, or is damaged; convert it, for example"
            " with: ffmpeg -i FILE out.mp4"
        )
    return FileSource(str(path), capture, fps=fps, start=start, first=first)


def next_time(stamp: float, previous: float, step: float) -> float:
    """Return the time of a frame: its own stamp, or one step on where that does not follow the last.

    Args:
        stamp: What the container says, seconds.
        previous: Time of the frame before, seconds.
        step: Time between frames at the nominal rate, seconds.
    """
    return stamp if stamp > previous and stamp >= 0 else previous + step
