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
"""Below the time from frame to frame of most cameras (docs/video.md has what it saves)."""
_JOIN_S: Final = 10.0
"""Longer than any read that ends by itself takes; what hangs for longer keeps its thread."""


class Result(NamedTuple):
    """What `MultiVideo.frames` gives.

    Attributes:
        stream: Of which it is.
        frame: As `VideoPoseEstimator.run` gives it; `None`, once for each stream, when it has ended.
            `stream.error` says why, if that was before its time.
    """

    stream: VideoStream
    frame: Frame | None


class _Turn(NamedTuple):
    stream: VideoStream
    step: Step


class MultiVideo(Closing):
    """Follows the people of several videos at once; ids are of each video alone.

    The frames that wait, one of each stream, go through the keypoint model together. The detector looks at
    one of them at most: a frame that it is to look at too waits for the next round. Streams take turns, so
    that nobody is served twice while another waits. A live stream that is faster drops its older frames; of
    files every frame is worked on, with the results of `VideoPoseEstimator.run`. A stream that ends or fails
    is told of, and disturbs no other.

    Streams may be added and removed at any time, from any thread.

    Args:
        estimator: A `VideoPoseEstimator` with its settings, or a `PoseModel`; a `VideoPoseEstimator()` when
            `None`. Not closed by this object if given.

        gather: Let a frame wait for those of other streams for so many seconds, that more are found in one
            run: it costs less processor time and comes as much later.

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
        self._news = threading.Condition()  # guards what follows
        self._streams: list[VideoStream] = []  # whoever waits longest for a turn comes first
        self._gone: list[VideoStream] = []  # ended, and perhaps still being closed
        self._is_behind = False  # whether a frame was left over from the last round
        self._is_closed = False

    @property
    def streams(self) -> tuple[VideoStream, ...]:
        """Those that have not ended, by name."""
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
        """Begin with another video. It is opened by a thread of its own; this returns at once.

        Args:
            source: As in `VideoPoseEstimator.run`.
            name: What to call it; as `source` when `None`, without user and password.
            stop: Until before this time, seconds.
            session: Of `VideoPoseEstimator.start`, to go on with; a new one when `None`.
            history: What its people are put into; a `PoseHistory()` when `None`.
            options: Handed to `open_source`.

        Raises:
            InputError: The name is taken, or this object is closed.
        """
        name = _name_of(source) if name is None else name
        with self._news:
            if self._is_closed:
                raise InputError(f"{name!r} was added after close(); make another MultiVideo")
            if any(stream.name == name for stream in self._streams):
                raise InputError(f"a stream {name!r} is there already; give another name=")
            stream = VideoStream(
                name,
                partial(open_source, source, **options),
                self.video.start() if session is None else session,
                history=PoseHistory() if history is None else history,
                stop=stop,
                news=self._news,
            )
            self._streams.insert(0, stream)  # it has waited longest: nobody was served before it came
            self._news.notify_all()
        return stream

    def remove(self, stream: VideoStream) -> None:
        """End with a video. Its last `Result`, without a frame, comes as if it had ended by itself."""
        stream.remove()

    def frames(self) -> Iterator[Result]:
        """Work on what comes, and give it as it is done, until no stream is left.

        What the caller does between two results holds up all streams. May be called again, after streams
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
        """Wait for something to do; return who has ended, `None` when no stream is left."""
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
        """Take a frame of each stream that has one, in turn, until a second one needs the detector."""
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
        """Find the people of a round; where that fails, of each frame alone, and say which one failed."""
        try:
            return self._find([turn.step for turn in turns])
        except Exception as error:  # noqa: BLE001 (of whichever frame it is: its stream ends)
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
