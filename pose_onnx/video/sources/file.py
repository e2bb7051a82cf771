"""A video file: every frame, in order, however long it takes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pose_onnx.errors import InputError
from pose_onnx.video.sources.capture import Capture, open_capture
from pose_onnx.video.sources.source import FrameSource, TimedImage

_LOG = logging.getLogger(__name__)

ASSUMED_FPS: Final = 25.0
"""Where neither the file nor the caller says."""
_MOST_BAD_FRAMES: Final = 60
"""So many broken frames in a row are the end of a file."""


class FileSource(FrameSource):
    """The frames of a video file, or of an address that knows how many it has.

    Args:
        name: Path or address, for messages.
        capture: The opened file.
        fps: Frames per second where the file has no time stamps; the file's own when `None`.
        start: Frames before this time (seconds) are passed over.
    """

    def __init__(self, name: str, capture: Capture, *, fps: float | None = None, start: float = 0.0) -> None:
        self.live = False
        self.fps = capture.fps or fps
        self.frame_count = capture.frame_count
        self.size = capture.size
        self.skipped = self.reconnects = 0
        self._name = name
        self._capture = capture
        self._start = start

    def __iter__(self) -> Iterator[TimedImage]:
        step = 1 / (self.fps or ASSUMED_FPS)
        index, time = -1, -step
        while bad := self._next_frame():
            index += bad
            self.skipped += bad - 1
            # Passing over frames is exact, with any codec; seeking is not.
            time = next_time(self._capture.seconds(), time, step * bad)
            if time < self._start:
                continue
            if (image := self._capture.retrieve()) is None:
                self.skipped += 1
                continue
            yield index, time, image
        if self.frame_count and index + 1 < self.frame_count:
            _LOG.info(
                "%s: ended after %d of the %d frames it states", self._name, index + 1, self.frame_count
            )

    def _next_frame(self) -> int:
        """Go to the next frame that can be decoded; return how far it is, 0 at the end."""
        return next((ahead for ahead in range(1, _MOST_BAD_FRAMES + 1) if self._capture.grab()), 0)

    def close(self) -> None:
        """Close the file."""
        self._capture.close()


def open_file(path: Path, *, fps: float | None, start: float) -> FileSource:
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
            f"{str(path)!r} is no video that OpenCV can read, or is damaged; convert it, for example with: "
            "ffmpeg -i FILE out.mp4"
        )
    return FileSource(str(path), capture, fps=fps, start=start)


def next_time(stamp: float, previous: float, step: float) -> float:
    """Return the time of a frame: its own stamp, or one step on where that does not follow the last.

    Args:
        stamp: What the container says, seconds.
        previous: Time of the frame before, seconds.
        step: Time between frames at the nominal rate, seconds.
    """
    return stamp if stamp > previous and stamp >= 0 else previous + step
