"""Track people through several sources at once, each with its own outputs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from pose_onnx import InputError, PoseModel
from pose_onnx.cli._exits import EXIT_SOME_FAILED, code_of_stop
from pose_onnx.cli._follow import (
    Followed,
    finished,
    open_outputs_of,
    open_video_of,
    sound_of,
    source_of,
    source_options_of,
    stopped,
    told_once,
)
from pose_onnx.cli._interrupt import uninterrupted
from pose_onnx.cli._tables import count
from pose_onnx.cli._video_outputs import outputs_of
from pose_onnx.closing import Closing
from pose_onnx.errors import PoseOnnxError
from pose_onnx.formats import FramesEnd
from pose_onnx.video import Frame, FrameSource, MultiVideo, VideoPoseEstimator, VideoStream


def one_each(args: argparse.Namespace) -> list[argparse.Namespace]:
    """Return the options of each source; with several, the second writes `NAME-2.jsonl`, and so on.

    Raises:
        InputError: `--show` was given for several sources, or a file is both a source and an output.
    """
    words = args.source
    if len(words) == 1:
        return [argparse.Namespace(**{**vars(args), "source": words[0]})]
    if args.show:
        raise InputError(f"--show was given with {len(words)} sources; give one source, or --out FILE")
    each = []
    for number, word in enumerate(words, start=1):
        outputs = {option: str(_numbered(path, number)) for option, path in outputs_of(args).items()}
        each.append(argparse.Namespace(**{**vars(args), "source": word, **outputs}))
    for path in {path for one in each for path in outputs_of(one).values() if path.exists()}:
        if any(Path(word).exists() and path.samefile(word) for word in words):
            raise InputError(f"{str(path)!r} is both a source and an output; give the output another name")
    return each


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def follow_many(model: PoseModel, many: Sequence[argparse.Namespace]) -> list[Followed]:
    """Track people through all sources, to their ends or to Ctrl-C. A failed source does not stop the others.

    Args:
        model: Finds them.
        many: The options of each source, checked.

    Raises:
        PoseOnnxError: An output or option that cannot be used.
    """
    with ExitStack() as stack:
        stack.enter_context(told_once())
        video = stack.enter_context(open_video_of(model, many[0]))
        cameras = stack.enter_context(MultiVideo(video))
        jobs = [
            stack.enter_context(_Job(video, args, cameras, str(number)))
            for number, args in enumerate(many, start=1)
        ]
        code = 0
        try:
            _write_frames(cameras, jobs)
        except KeyboardInterrupt as error:  # the outcome of each source is reported
            code = code_of_stop(error)
    return [job.followed or stopped(job.outputs, code) for job in jobs]


def _write_frames(cameras: MultiVideo, jobs: Sequence[_Job]) -> None:
    """Write every frame of every stream."""
    from tqdm import tqdm  # noqa: PLC0415 (only some verbs show a bar)

    by_stream = {job.stream: job for job in jobs}
    with tqdm(unit="frame", disable=None) as bar:
        for stream, frame in cameras.frames():
            with uninterrupted():  # no frame is in one file and not in another
                if frame is None:
                    by_stream[stream].end()
                else:
                    by_stream[stream].write(frame)
            if not bar.disable:
                bar.set_postfix_str(", ".join(map(_status, by_stream)), refresh=False)
            bar.update(frame is not None)


def _status(stream: VideoStream) -> str:
    dropped = f" ({stream.dropped} dropped)" if stream.dropped else ""
    rate = f"{stream.rate:.1f}/s" if not stream.has_ended else "failed" if stream.error else "done"
    return f"{stream.name}: {rate}{dropped}"


class _Job(Closing):
    """One source with its outputs.

    Attributes:
        followed: The outcome, once it has ended.
    """

    def __init__(
        self, video: VideoPoseEstimator, args: argparse.Namespace, cameras: MultiVideo, name: str
    ) -> None:
        self._args = args
        self.outputs = open_outputs_of(video, args)
        self._skipped_before = self.outputs.progress.skipped
        self._is_open = self._is_closed = False
        self.followed: Followed | None = None
        self.stream = cameras.add(
            source_of(args.source),
            name=name,
            stop=args.stop,
            session=video.start(self.outputs.progress.session),
            **source_options_of(args, self.outputs),
        )

    def write(self, frame: Frame) -> None:
        """Write a frame everywhere."""
        source = self._open_outputs()
        self.outputs.write(frame)
        if self.outputs.is_due:
            self.outputs.save(self.stream.session.state(), self._skipped_before + source.skipped)

    def _open_outputs(self) -> FrameSource:
        source = self.stream.source
        if source is None:
            raise RuntimeError("a stream has frames before it is open")
        if not self._is_open:
            self.outputs.open(source.fps, sound_of(self._args), can_resume=not source.live)
            self._is_open = True
        return source

    def end(self) -> None:
        """Finish the outputs of a stream that has ended."""
        error = self.stream.error
        if error is None:
            source = self._open_outputs()
            skipped = self._skipped_before + source.skipped
            end = FramesEnd(self.outputs.progress.frames, skipped, source.missing)
            self.outputs.finish(end)
            self.close()
            try:
                self.followed = self._with_dropped(finished(end, source, self.outputs, self._args))
            except PoseOnnxError as nothing:
                error = nothing
        self.close()
        if error is not None:
            self.followed = self._failed(error)

    def _failed(self, error: PoseOnnxError) -> Followed:
        there = stopped(self.outputs, EXIT_SOME_FAILED)
        return replace(there, warnings=(str(error), *(there.warnings if there.frames else ())))

    def _with_dropped(self, followed: Followed) -> Followed:
        if not self.stream.dropped:
            return followed
        warning = f"{count(self.stream.dropped, 'frame')} came too fast and were dropped"
        return replace(followed, warnings=(*followed.warnings, warning))

    def close(self) -> None:
        """Finish all files with the frames written so far."""
        if not self._is_closed:
            self._is_closed = True
            self.outputs.close()
