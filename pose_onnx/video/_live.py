"""A camera or a stream: the newest frame, never an old one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from pose_onnx._errors import PoseOnnxError, SourceError
from pose_onnx.video._capture import Capture, open_capture
from pose_onnx.video._source import FrameSource, TimedImage

_LOG = logging.getLogger(__name__)

PATIENCE_S: Final = 30.0
"""A stream that gave no frame for so long is given up."""
_FIRST_BACKOFF_S: Final = 0.5
_LONGEST_BACKOFF_S: Final = 8.0
_MOST_BAD_FRAMES: Final = 5
"""So many failures in a row are a stream that broke; fewer are frames that did."""
_JOIN_S: Final = 10.0
"""Longer than any one read waits."""

Opener = Callable[[int | str], Capture | None]


class LiveSource(FrameSource):
    """Frames of a camera or a stream, each the newest at the moment it is asked for.

    A thread reads all the time and keeps one frame; a consumer that is slower misses frames (their indices
    are missing) and never falls behind. A frame's time is when it arrived, in seconds after the first one:
    streams restart their own stamps when they break. One that breaks is opened again with growing pauses.

    Args:
        target: Number of a camera, or address of a stream.
        capture: The same, already opened.
        start: Frames before this time (seconds) are passed over.
        reopen: How to open `target` again.
        patience: Seconds without a frame after which the stream is given up.
        first_backoff: Seconds before the first attempt to open it again; doubles from attempt to attempt.
    """

    def __init__(
        self,
        target: int | str,
        capture: Capture,
        *,
        start: float = 0.0,
        reopen: Opener = open_capture,
        patience: float = PATIENCE_S,
        first_backoff: float = _FIRST_BACKOFF_S,
    ) -> None:
        self.live = True
        self.fps = capture.fps
        self.frame_count = None
        self.size = capture.size
        self.skipped = self.reconnects = 0
        self._target, self._start = target, start
        self._reopen, self._patience, self._first_backoff = reopen, patience, first_backoff
        self._news = threading.Condition()
        self._latest: TimedImage | None = None
        self._failure: PoseOnnxError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(capture,), name="capture", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[TimedImage]:
        while (frame := self._take()) is not None:
            if frame[1] >= self._start:
                yield frame

    def _take(self) -> TimedImage | None:
        """Wait for a frame that nobody has taken; `None` after `close`."""
        with self._news:
            self._news.wait_for(lambda: self._latest or self._failure or self._stopping.is_set())
            frame, self._latest = self._latest, None
            if frame is None and self._failure:
                raise self._failure
            return frame

    def _read(self, capture: Capture | None) -> None:
        """Run in the thread: read until `close`, or until the stream is given up."""
        index, first = -1, 0.0
        last = time.monotonic()
        backoff = self._first_backoff
        while not self._stopping.is_set():
            bad = 0 if capture is None else _frames_ahead(capture)
            if capture is not None and bad:
                last = time.monotonic()
                first = first or last
                index += bad
                backoff = self._first_backoff
                image = capture.retrieve()
                self.skipped += bad - (image is not None)
                if image is not None:
                    self._put((index, last - first, image))
                continue
            if capture is not None:
                _LOG.warning("%r: the stream broke; opening it again", self._target)
                capture.close()
            if time.monotonic() - last > self._patience:
                self._give_up()
                return
            self._stopping.wait(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_S)
            capture = None if self._stopping.is_set() else self._reopen(self._target)
            if capture is not None:
                self.reconnects += 1
                _LOG.warning("%r: opened again (%d)", self._target, self.reconnects)
        if capture is not None:
            capture.close()

    def _put(self, frame: TimedImage) -> None:
        with self._news:
            self._latest = frame
            self._news.notify_all()

    def _give_up(self) -> None:
        with self._news:
            self._failure = SourceError(
                f"{self._target!r} broke and gave no frame for {self._patience:g} s; check that it is still "
                "there, then start again"
            )
            self._news.notify_all()

    def close(self) -> None:
        """Stop the thread and release the device."""
        self._stopping.set()
        with self._news:
            self._news.notify_all()
        self._thread.join(_JOIN_S)


def _frames_ahead(capture: Capture) -> int:
    """Go to the next frame that can be decoded; return how far it is, 0 if the stream broke."""
    return next((ahead for ahead in range(1, _MOST_BAD_FRAMES + 1) if capture.grab()), 0)
