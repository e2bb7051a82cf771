"""Video files: every frame is read, in order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pose_onnx.addresses import redacted
from pose_onnx.budget import MEMORY
from pose_onnx.errors import InputError
from pose_onnx.files import exists
from pose_onnx.video.frame import ASSUMED_FPS
from pose_onnx.video.sources.capture import Capture, open_capture
from pose_onnx.video.sources.promise import Promise, promise_of
from pose_onnx.video.sources.source import FrameSource, TimedImage

_LOG = logging.getLogger(__name__)

_MOST_BAD_FRAMES: Final = 60
"""This many broken frames in a row count as the end of the file."""
_BYTES_PER_PIXEL: Final = 9
"""Bytes per pixel for reading: four decoder pictures of 1.5 bytes and one decoded picture of 3."""
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
        InputError: The declared picture size exceeds the memory budget (`pose_onnx.budget`).
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
            # Skipping frame by frame is exact with any codec; seeking is not.
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
        """Go to the next decodable frame; return how many frames it is ahead, 0 at the end."""
        return next((ahead for ahead in range(1, _MOST_BAD_FRAMES + 1) if self._capture.grab()), 0)

    def _count_missing(self, count: int, step: float, end: float) -> None:
        """Compare the frames read with the number that the container promises.

        Args:
            count: Frames read.
            step: Frame interval according to OpenCV, seconds.
            end: End of the last frame if it is shown as long as the others, seconds.
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
            f"{redacted(name)!r} declares frames of {width} x {height} pixels, which need too much memory; "
            f"give a video with at most {MEMORY // _BYTES_PER_PIXEL:,} pixels, or an intact copy"
        )


def _missing(promise: Promise, count: int, end: float, step: float) -> int:
    """Return how many frames are missing.

    If the promise is in seconds, use the rate of the frames read, or the nominal rate if there are none.
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
        InputError: The file is missing, or OpenCV cannot read it as a video.
    """
    if not exists(path):
        raise InputError(
            f"{str(path)!r} does not exist; give a video file, a folder of frames, a camera or a URL"
        )
    if (capture := open_capture(str(path))) is None:
        raise InputError(
            f"{str(path)!r} is damaged, or not a video that OpenCV can read; convert it, for example with: "
            "ffmpeg -i FILE out.mp4"
        )
    return FileSource(str(path), capture, fps=fps, start=start, first=first)


def next_time(stamp: float, previous: float, step: float) -> float:
    """Return the time of a frame: its own stamp, or one step after the last if the stamp is not later.

    Args:
        stamp: Time stamp in the container, seconds.
        previous: Time of the frame before, seconds.
        step: Time between frames at the nominal rate, seconds.
    """
    return stamp if stamp > previous and stamp >= 0 else previous + step
