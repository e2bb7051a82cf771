"""One of several videos at once: a thread that reads it, what waits to be worked on, and how it goes."""

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
"""The rate of a stream is that of its last seconds."""
_READ_AHEAD: Final = 2
"""Frames of a file that are read before they are asked for: one is decoded while another is worked on."""


class VideoStream:
    """One source of a `MultiVideo`. All of it may be asked for from any thread.

    Attributes:
        name: What it is called.
        history: The last seconds of everyone in it.
        source: Where its frames come from, with how often it was opened again and the like; `None` until it
            is open.
        frames: Results so far.
        error: Why it ended before its time, if it did.
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
        self._news = news  # guards what follows
        self._waiting: deque[TimedImage] = deque()
        self._replaced = 0
        self._is_read = self._is_removed = False
        self._begun = time.monotonic()
        self._results: deque[float] = deque()
        self._thread = threading.Thread(target=self._read, name=f"video {name}", daemon=True)
        self._thread.start()

    @property
    def session(self) -> VideoSession:
        """The video's session, whose `state` is that after the last result."""
        return self._session

    @property
    def dropped(self) -> int:
        """Frames of a live source that were not worked on because newer ones had come; 0 of a file."""
        return self._replaced + (self.source.dropped if self.source else 0)

    @property
    def rate(self) -> float:
        """Results a second, over the last `RATE_S` seconds."""
        now = time.monotonic()
        with self._news:
            recent = sum(moment > now - RATE_S for moment in self._results)
        return recent / min(RATE_S, max(now - self._begun, 1e-3))

    @property
    def is_waiting(self) -> bool:
        """Whether a frame waits to be worked on."""
        return bool(self._waiting)

    @property
    def has_ended(self) -> bool:
        """Whether there come no more results."""
        return self._is_removed or (self._is_read and not self._waiting)

    @property
    def is_removed(self) -> bool:
        """Whether it was ended from outside, or failed: what was found in it counts no more."""
        return self._is_removed

    @property
    def is_open(self) -> bool:
        """Whether its thread still reads, or closes the source."""
        return self._thread.is_alive()

    def prepare(self) -> Step:
        """Begin the frame that waits; it waits on until `take`.

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
        """Make a result of the frame that was prepared last."""
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
        """End it: what waits is dropped, and nothing more is read. Returns at once."""
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
        """Wait until the source is closed, for so many seconds at most: nobody can end a read that hangs."""
        self._thread.join(patience)

    def _read(self) -> None:
        """Be the thread: read until the end, or until the stream is removed."""
        error = None
        try:
            with self._open() as source:
                with self._news:
                    self.source = source
                    if self._is_removed:  # while it was being opened
                        return
                for frame in source:
                    is_late = self._stop_at is not None and frame[1] >= self._stop_at
                    if is_late or not self._offer(frame, is_live=source.live):
                        break
        except Exception as caught:  # noqa: BLE001 (whatever is wrong with one source, the others go on)
            error = failure_of(self.name, caught)
        with self._news:
            if not self._is_removed:
                self.error = self.error or error
            self._is_read = True
            self._news.notify_all()

    def _offer(self, frame: TimedImage, *, is_live: bool) -> bool:
        """Let a frame wait: of a live source instead of an older one, of others once there is room.

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
