"""One stream of a `MultiVideo`: its reading thread, its waiting frames, and its status."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from pose_onnx.errors import PoseOnnxError
from pose_onnx.failures import failure_of
from pose_onnx.video.frame import Frame
from pose_onnx.video.history import PoseHistory
from pose_onnx.video.session import VideoSession
from pose_onnx.video.sources.source import FrameSource, TimedImage
from pose_onnx.video.steps import Found, Step

RATE_S: Final = 5.0
"""The rate of a stream is measured over this many last seconds."""
_READ_AHEAD: Final = 2
"""Frames of a file that are read ahead: one is decoded while another is processed."""


class VideoStream:
    """One source of a `MultiVideo`. All attributes can be read from any thread.

    Attributes:
        name: What it is called.
        history: The last seconds of each person in it.
        source: The frame source, with its counters such as `reconnects`; `None` until it is open.
        frames: Number of results so far.
        error: Why it ended early, if it did.
    """

    def __init__(
        self,
        name: str,
        open_frames: Callable[[], FrameSource],
        session: VideoSession,
        *,
        history: PoseHistory,
        stop: float | None,
        news: threading.Condition,
    ) -> None:
        self.name, self.history = name, history
        self.source: FrameSource | None = None
        self.frames = 0
        self.error: PoseOnnxError | None = None
        self._open, self._stop_at = open_frames, stop
        self._session = session
        self._news = news  # guards the attributes below
        self._waiting: deque[TimedImage] = deque()
        self._replaced = 0
        self._is_read = self._is_removed = False
        self._begun = time.monotonic()
        self._results: deque[float] = deque()
        self._thread = threading.Thread(target=self._read, name=f"video {name}", daemon=True)
        self._thread.start()

    @property
    def session(self) -> VideoSession:
        """The video's session; its `state` is the one after the last result."""
        return self._session

    @property
    def dropped(self) -> int:
        """Frames of a live source that were skipped because newer ones had arrived; 0 for a file."""
        return self._replaced + (self.source.dropped if self.source else 0)

    @property
    def rate(self) -> float:
        """Results per second, over the last `RATE_S` seconds."""
        now = time.monotonic()
        with self._news:
            recent = sum(moment > now - RATE_S for moment in self._results)
        return recent / min(RATE_S, max(now - self._begun, 1e-3))

    @property
    def is_waiting(self) -> bool:
        """Whether a frame is waiting to be processed."""
        return bool(self._waiting)

    @property
    def has_ended(self) -> bool:
        """Whether no more results will come."""
        return self._is_removed or (self._is_read and not self._waiting)

    @property
    def is_removed(self) -> bool:
        """Whether it was removed or failed: pending results are discarded."""
        return self._is_removed

    @property
    def is_open(self) -> bool:
        """Whether its thread is still reading or closing the source."""
        return self._thread.is_alive()

    def prepare(self) -> Step:
        """Begin the waiting frame; it stays in place until `take`.

        Raises:
            InputError: The frame cannot be used.
        """
        index, seconds, image = self._waiting[0]
        return self._session.prepare(image, seconds, index=index)

    def take(self) -> None:
        """Make room for the next frame."""
        with self._news:
            self._waiting.popleft()
            self._news.notify_all()

    def finish(self, step: Step, found: Found) -> Frame:
        """Make the result of the frame that was prepared last."""
        frame = self._session.finish(step, found)
        self.history.add(frame)
        now = time.monotonic()
        with self._news:
            self.frames += 1
            self._results.append(now)
            while self._results[0] <= now - RATE_S:
                self._results.popleft()
        return frame

    def remove(self, error: Exception | None = None) -> None:
        """End the stream: drop waiting frames and stop reading. Returns at once."""
        with self._news:
            if error is not None:
                self.error = failure_of(self.name, error)
            self._is_removed = True
            self._waiting.clear()
            self._news.notify_all()
            source = self.source
        if source is not None:
            source.stop()

    def join(self, patience: float) -> None:
        """Wait until the source is closed, for a limited time: a read that hangs cannot be ended."""
        self._thread.join(patience)

    def _read(self) -> None:
        """Run the thread: read until the end, or until the stream is removed."""
        error = None
        try:
            with self._open() as source:
                with self._news:
                    self.source = source
                    if self._is_removed:  # removed while it was being opened
                        return
                for frame in source:
                    is_late = self._stop_at is not None and frame[1] >= self._stop_at
                    if is_late or not self._offer(frame, is_live=source.live):
                        break
        except Exception as caught:  # noqa: BLE001 (an error of one source must not stop the others)
            error = failure_of(self.name, caught)
        with self._news:
            if not self._is_removed:
                self.error = self.error or error
            self._is_read = True
            self._news.notify_all()

    def _offer(self, frame: TimedImage, *, is_live: bool) -> bool:
        """Queue a frame: for a live source it replaces an older one, for others it waits for room.

        Returns:
            Whether another frame is wanted.
        """
        with self._news:
            if is_live:
                self._replaced += len(self._waiting)
                self._waiting.clear()
            else:
                self._news.wait_for(lambda: len(self._waiting) < _READ_AHEAD or self._is_removed)
            if not self._is_removed:
                self._waiting.append(frame)
                self._news.notify_all()
            return not self._is_removed
