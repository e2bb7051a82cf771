"""Several videos at once, live or not, through one set of networks."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from pose_onnx.addresses import redacted
from pose_onnx.closing import Closing
from pose_onnx.errors import InputError
from pose_onnx.pose_model import PoseModel
from pose_onnx.video.estimator import VideoPoseEstimator
from pose_onnx.video.frame import Frame
from pose_onnx.video.history import PoseHistory
from pose_onnx.video.session import VideoSession
from pose_onnx.video.sources.open import VideoSource, open_source
from pose_onnx.video.steps import Finder, Found, Step
from pose_onnx.video.stream import VideoStream

GATHER_S: Final = 0.03
"""Shorter than the frame interval of most cameras (docs/video.md shows the saving)."""
_JOIN_S: Final = 10.0
"""Longer than any read that ends by itself. A read that hangs longer keeps its thread."""


class Result(NamedTuple):
    """One item of `MultiVideo.frames`.

    Attributes:
        stream: The stream of this frame.
        frame: As from `VideoPoseEstimator.run`; `None` once per stream, when the stream has ended.
            `stream.error` holds the reason if it ended early.
    """

    stream: VideoStream
    frame: Frame | None


class _Turn(NamedTuple):
    stream: VideoStream
    step: Step


class MultiVideo(Closing):
    """Tracks people in several videos at once. Each video has its own ids.

    The waiting frames, one per stream, go through the keypoint model as one batch. The detector runs on at
    most one of them; another frame that needs it waits for the next round. Streams take turns: none is
    served twice while another waits. A live stream that is too fast drops its older frames. For files,
    every frame is processed, with the same results as `VideoPoseEstimator.run`. A stream that ends or fails
    is reported and does not affect the others.

    Streams can be added and removed at any time, from any thread.

    Args:
        estimator: A `VideoPoseEstimator` with its settings, or a `PoseModel`; a `VideoPoseEstimator()` when
            `None`. Not closed by this object if given.

        gather: Seconds a frame waits for frames of other streams, to make the batch larger. This saves
            processor time and adds the same delay.

    Raises:
        InputError: `gather` is not a number of 0 or more.
        PoseOnnxError: As `VideoPoseEstimator`.

    Example:
        >>> with MultiVideo() as cameras:  # doctest: +SKIP
        ...     door, yard = cameras.add("rtsp://door"), cameras.add("rtsp://yard")
        ...     for stream, frame in cameras.frames():
        ...         print(stream.name, "has ended" if frame is None else frame.poses.ids)
    """

    def __init__(
        self, estimator: VideoPoseEstimator | PoseModel | None = None, *, gather: float = GATHER_S
    ) -> None:
        if not 0 <= gather < math.inf:
            raise InputError(f"gather={gather!r} was given; give seconds of 0 or more")
        self._gather = gather
        self._is_owned = not isinstance(estimator, VideoPoseEstimator)
        self.video = estimator if isinstance(estimator, VideoPoseEstimator) else VideoPoseEstimator(estimator)
        self._find = Finder(self.video.estimator)
        self._news = threading.Condition()  # guards the attributes below
        self._streams: list[VideoStream] = []  # the stream that has waited longest comes first
        self._gone: list[VideoStream] = []  # ended, may still be closing
        self._is_behind = False  # whether a frame was left over from the last round
        self._is_closed = False

    @property
    def streams(self) -> tuple[VideoStream, ...]:
        """The streams that have not ended, by name."""
        with self._news:
            return tuple(sorted(self._streams, key=lambda stream: stream.name))

    def add(
        self,
        source: VideoSource,
        *,
        name: str | None = None,
        stop: float | None = None,
        session: VideoSession | None = None,
        history: PoseHistory | None = None,
        **options: Any,
    ) -> VideoStream:
        """Add a video. Its own thread opens it; this call returns at once.

        Args:
            source: As in `VideoPoseEstimator.run`.
            name: Name of the stream; when `None`, `source` without user and password.
            stop: End before this time, seconds.
            session: A session from `VideoPoseEstimator.start` to continue; a new one when `None`.
            history: Stores its poses; a `PoseHistory()` when `None`.
            options: Passed to `open_source`.

        Raises:
            InputError: The name is taken, or this object is closed.
        """
        name = _name_of(source) if name is None else name
        with self._news:
            if self._is_closed:
                raise InputError(f"{name!r} was added after close(); create another MultiVideo")
            if any(stream.name == name for stream in self._streams):
                raise InputError(f"there is already a stream named {name!r}; give another name=")
            stream = VideoStream(
                name,
                partial(open_source, source, **options),
                self.video.start() if session is None else session,
                history=PoseHistory() if history is None else history,
                stop=stop,
                news=self._news,
            )
            self._streams.insert(0, stream)  # first in line: it has not been served yet
            self._news.notify_all()
        return stream

    def remove(self, stream: VideoStream) -> None:
        """Remove a video. Its last `Result`, without a frame, comes as if the video had ended by itself."""
        stream.remove()

    def frames(self) -> Iterator[Result]:
        """Process frames as they arrive and yield each result when it is ready, until no stream is left.

        Work that the caller does between two results delays all streams. Can be called again after streams
        were added.
        """
        while (ended := self._await()) is not None:
            for stream in ended:
                yield Result(stream, None)
            turns = self._next_round()
            for turn, found in zip(turns, self._found(turns), strict=True):
                frame = _finished(turn, found)
                if frame is not None and not turn.stream.is_removed:
                    yield Result(turn.stream, frame)

    def _await(self) -> list[VideoStream] | None:
        """Wait for work; return the streams that have ended, or `None` when no stream is left."""
        with self._news:
            self._news.wait_for(
                lambda: (
                    not self._streams
                    or any(stream.is_waiting or stream.has_ended for stream in self._streams)
                )
            )
            if self._gather and not self._is_behind:
                self._news.wait_for(
                    lambda: all(stream.is_waiting or stream.has_ended for stream in self._streams),
                    self._gather,
                )
            if not self._streams:
                return None
            ended = [stream for stream in self._streams if stream.has_ended]
            self._streams = [stream for stream in self._streams if stream not in ended]
            self._gone = [stream for stream in (*self._gone, *ended) if stream.is_open]
            return ended

    def _next_round(self) -> list[_Turn]:
        """Take a frame from each stream that has one, in turn, until a second frame needs the detector."""
        turns: list[_Turn] = []
        with self._news:
            waiting = [stream for stream in self._streams if stream.is_waiting]
            for stream in waiting:
                try:
                    step = stream.prepare()
                except Exception as error:  # noqa: BLE001 (its stream ends; the others go on)
                    stream.remove(error)
                    continue
                if step.detect and any(turn.step.detect for turn in turns):
                    break
                stream.take()
                turns.append(_Turn(stream, step))
            self._is_behind = len(turns) < len(waiting)
            served = [turn.stream for turn in turns]
            self._streams = [stream for stream in self._streams if stream not in served] + served
        return turns

    def _found(self, turns: Sequence[_Turn]) -> Sequence[Found | Exception]:
        """Find the people of a round. If that fails, process each frame alone and report which one failed."""
        try:
            return self._find([turn.step for turn in turns])
        except Exception as error:  # noqa: BLE001 (ends the stream of the failed frame)
            if len(turns) == 1:
                return [error]
            return [found for turn in turns for found in self._found([turn])]

    def close(self) -> None:
        """End all streams, and release the models, unless they were given."""
        with self._news:
            self._is_closed = True
            streams, self._streams, self._gone = [*self._streams, *self._gone], [], []
            for stream in streams:
                stream.remove()
            self._news.notify_all()
        until = time.monotonic() + _JOIN_S
        for stream in streams:
            stream.join(max(0.0, until - time.monotonic()))
        if self._is_owned:
            self.video.close()


def _finished(turn: _Turn, found: Found | Exception) -> Frame | None:
    """Return the result of a frame; end its stream if there is none."""
    try:
        if isinstance(found, Exception):
            raise found  # noqa: TRY301 (ends the stream as what follows does)
        return turn.stream.finish(turn.step, found)
    except Exception as error:  # noqa: BLE001 (the others go on)
        turn.stream.remove(error)
        return None


def _name_of(source: VideoSource) -> str:
    if isinstance(source, int):
        return f"camera {source}"
    return redacted(str(source)) if isinstance(source, str) or hasattr(source, "__fspath__") else "frames"
