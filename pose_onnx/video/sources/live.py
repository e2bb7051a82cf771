"""Cameras and streams: always the newest frame."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from pose_onnx.addresses import redacted
from pose_onnx.errors import SourceError
from pose_onnx.video.sources.capture import Capture, open_capture
from pose_onnx.video.sources.source import FrameSource, TimedImage

_LOG = logging.getLogger(__name__)

PATIENCE_S: Final = 30.0
"""A stream without a frame for this long is given up."""
_FIRST_BACKOFF_S: Final = 0.5
_LONGEST_BACKOFF_S: Final = 8.0
_MOST_BAD_FRAMES: Final = 5
"""This many failures in a row mean a broken stream; fewer mean broken frames."""
_BROKEN_S: Final = 1.0
"""A read that fails after this long means a broken stream; a broken frame fails at once."""
_JOIN_S: Final = 10.0
"""Longer than any single read waits."""

Opener = Callable[[int | str], Capture | None]


class LiveSource(FrameSource):
    """Frames of a camera or a stream; each request gets the newest frame.

    A thread reads continuously and keeps one frame. A slower consumer misses frames (their indices are
    missing) and never falls behind. A frame's time is its arrival time, in seconds after the first frame,
    because streams restart their own stamps when they break. A broken stream is reopened with growing pauses.

    Args:
        target: Number of a camera, or address of a stream.
        capture: The same, already opened.
        fps: Frames per second if the device does not report it.
        start: Frames before this time (seconds) are skipped.
        reopen: Opens `target` again.
        patience: Seconds without a frame after which the stream is given up.
        first_backoff: Seconds before the first attempt to reopen it; doubles with each attempt.
    """

    def __init__(
        self,
        target: int | str,
        capture: Capture,
        *,
        fps: float | None = None,
        start: float = 0.0,
        reopen: Opener = open_capture,
        patience: float = PATIENCE_S,
        first_backoff: float = _FIRST_BACKOFF_S,
    ) -> None:
        self.live = True
        self.fps = capture.fps or fps
        self.frame_count = None
        self.size = capture.size
        self.skipped = self.reconnects = self.missing = self.dropped = 0
        self._target, self._start = target, start
        self._reopen, self._patience, self._first_backoff = reopen, patience, first_backoff
        self._news = threading.Condition()
        self._latest: TimedImage | None = None
        self._ended = False
        self._index = -1
        self._first: float | None = None
        self._last = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(capture,), name="capture", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[TimedImage]:
        while (frame := self._take()) is not None:
            if frame[1] >= self._start:
                yield frame

    def _take(self) -> TimedImage | None:
        """Wait for a frame that was not taken yet; `None` after `close`."""
        with self._news:
            self._news.wait_for(lambda: self._latest or self._ended or self._stopping.is_set())
            frame, self._latest = self._latest, None
            if frame is None and not self._stopping.is_set():
                raise SourceError(
                    f"{shown(self._target)} failed and gave no frame for {self._patience:g} s; check that "
                    "it is still there, then start again"
                )
            return frame

    def _run(self, capture: Capture) -> None:
        """Run the thread: read until `close`, or until the stream is given up."""
        current: Capture | None = capture
        try:
            while current is not None:
                self._read(current)
                current.close()
                current = None if self._stopping.is_set() else self._open_again()
        finally:  # in any case, wake up all waiting consumers
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _read(self, capture: Capture) -> None:
        """Keep the newest frame, until `close` or until the stream breaks."""
        while not self._stopping.is_set() and (ahead := _frames_ahead(capture)):
            self._last = time.monotonic()
            self._first = self._last if self._first is None else self._first
            self._index += ahead
            image = capture.retrieve()
            self.skipped += ahead - (image is not None)
            if image is not None:
                with self._news:
                    self.dropped += self._latest is not None
                    self._latest = (self._index, self._last - self._first, image)
                    self._news.notify_all()

    def _open_again(self) -> Capture | None:
        """Reopen a broken stream with growing pauses; `None` if it is given up."""
        _LOG.warning("%s: the stream failed and is opened again", shown(self._target))
        backoff = self._first_backoff
        while time.monotonic() - self._last <= self._patience:
            if self._stopping.wait(backoff):
                return None
            if (capture := self._reopen(self._target)) is not None:
                self.reconnects += 1
                _LOG.warning("%s: reopened (%d)", shown(self._target), self.reconnects)
                return capture
            backoff = min(2 * backoff, _LONGEST_BACKOFF_S)
        return None

    def stop(self) -> None:
        """Let the thread end after its current read."""
        self._stopping.set()
        with self._news:
            self._news.notify_all()

    def close(self) -> None:
        """Stop the thread and release the device."""
        self.stop()
        self._thread.join(_JOIN_S)


def shown(target: int | str) -> str:
    """Return a camera's number or a stream's address as messages show it."""
    return f"camera {target}" if isinstance(target, int) else repr(redacted(target))


def _frames_ahead(capture: Capture) -> int:
    """Go to the next decodable frame; return how many frames it is ahead, 0 if the stream failed."""
    begun = time.monotonic()
    for ahead in range(1, _MOST_BAD_FRAMES + 1):
        if capture.grab():
            return ahead
        if time.monotonic() - begun > _BROKEN_S:
            break
    return 0
