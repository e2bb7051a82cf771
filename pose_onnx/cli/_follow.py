"""Track people through a source and write the requested outputs; shared by `video` and `run`."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pose_onnx import InputError, PoseModel
from pose_onnx.addresses import is_address, redacted
from pose_onnx.cli._actions import action_settings, open_actions_of
from pose_onnx.cli._drawing_options import drawing_of
from pose_onnx.cli._exits import EXIT_SOME_FAILED, code_of_stop
from pose_onnx.cli._interrupt import uninterrupted
from pose_onnx.cli._options import settings_of
from pose_onnx.cli._tables import count
from pose_onnx.cli._video_outputs import Outputs, outputs_of
from pose_onnx.core.opencv import cv2
from pose_onnx.formats import FramesEnd, FramesHeader, read_frames
from pose_onnx.video import FrameSource, VideoPoseEstimator, open_source
from pose_onnx.video.actions import DEFAULT_MODE

_SOURCES: Final = "pose_onnx.video.sources.file"
_FFMPEG_IS_SILENT: Final = ("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True, slots=True)
class Followed:
    """The outcome of tracking one source.

    Attributes:
        frames: Number of frames in the outputs.
        people: Number of people in the outputs, by their ids.
        complete: Whether the end was reached.
        code: Exit code.
        warnings: Warnings for the user, one sentence each.
    """

    frames: int
    people: int
    complete: bool = True
    code: int = 0
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return a summary such as "75 frames, 1 person"."""
        return f"{count(self.frames, 'frame')}, {count(self.people, 'person', 'people')}"


def silence() -> None:
    """Silence OpenCV and FFmpeg: this command counts and reports damaged frames itself."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault(*_FFMPEG_IS_SILENT)


def follow(model: PoseModel, args: argparse.Namespace) -> Followed:
    """Track people through a source, to its end or to Ctrl-C.

    Args:
        model: Finds them.
        args: The options of `pose-onnx video`, checked.

    Raises:
        PoseOnnxError: A source, output or option that cannot be used.
    """
    with open_video_of(model, args) as video:
        return _process(video, args, open_outputs_of(video, args))


@contextmanager
def open_video_of(model: PoseModel, args: argparse.Namespace) -> Iterator[VideoPoseEstimator]:
    """Return the estimator that the options describe, until the end of the `with` block."""
    with open_actions_of(args) as actions:
        yield VideoPoseEstimator(
            model,
            every=args.every,
            smooth="accurate" if args.smooth else None,
            max_people=args.max_people,
            actions=actions,
            action_windows=args.action_windows or DEFAULT_MODE,
        )


def open_outputs_of(video: VideoPoseEstimator, args: argparse.Namespace) -> Outputs:
    """Return the outputs of a source."""
    header = _header(args, video.estimator, action_settings(video))
    return Outputs(args, header, _dependencies(args, header))


def source_options_of(args: argparse.Namespace, outputs: Outputs) -> dict[str, Any]:
    """Return how to open the source so that it continues where the outputs end."""
    return {"fps": args.fps, "start": args.start or 0.0, "first": outputs.progress.first}


def _process(video: VideoPoseEstimator, args: argparse.Namespace, outputs: Outputs) -> Followed:
    options = source_options_of(args, outputs)
    try:
        with told_once(), outputs, open_source(source_of(args.source), **options) as source:
            outputs.open(source.fps, sound_of(args), can_resume=not source.live)
            before = outputs.progress.skipped
            if not _write_frames(video, source, args, outputs):
                return stopped(outputs, 0)
            end = FramesEnd(outputs.progress.frames, before + source.skipped, source.missing)
            outputs.finish(end)
    except KeyboardInterrupt as error:
        return stopped(outputs, code_of_stop(error))
    return finished(end, source, outputs, args)


def followed_before(lines: Path) -> Followed:
    """Return the outcome stored in the JSON Lines of a finished run."""
    frames = people = 0
    for frame in read_frames(lines):
        frames += 1
        if frame.poses.ids is not None:
            people = max([people, *frame.poses.ids.tolist()])
    return Followed(frames, people)


@contextmanager
def told_once() -> Iterator[None]:
    """Suppress the log message about missing frames: this command reports them at its end."""
    logger = logging.getLogger(_SOURCES)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _write_frames(
    video: VideoPoseEstimator, source: FrameSource, args: argparse.Namespace, outputs: Outputs
) -> bool:
    """Write every frame; return whether the end was reached before the window was closed."""
    from tqdm import tqdm  # noqa: PLC0415 (only some verbs show a bar)

    session, before = video.start(outputs.progress.session), outputs.progress.skipped
    done = outputs.progress.frames
    with tqdm(total=_total(source, args), initial=done, unit="frame", disable=None) as bar:
        for frame in video.run(source, stop=args.stop, session=session):
            with uninterrupted():  # no frame is in one file and not in another
                outputs.write(frame)
                if outputs.is_due:
                    outputs.save(session.state(), before + source.skipped)
            bar.set_postfix(people=len(frame.poses), refresh=False)
            bar.update()
            if not outputs.wanted:
                return False
    return True


def _total(source: FrameSource, args: argparse.Namespace) -> int | None:
    """Return the expected number of frames, if the source states it."""
    if source.frame_count is None or not source.fps:
        return None
    last = source.frame_count if args.stop is None else min(source.frame_count, args.stop * source.fps)
    return max(0, round(last - (args.start or 0) * source.fps))


def _header(args: argparse.Namespace, model: PoseModel, actions: dict[str, Any]) -> FramesHeader:
    settings = {
        **settings_of(args, model),
        "every": args.every,
        "smooth": args.smooth,
        "max_people": args.max_people,
        **actions,
    }
    return FramesHeader(name_of(args), model.names, settings)


def name_of(args: argparse.Namespace) -> str:
    """Return the name of the source in results and messages."""
    return str(args.name or redacted(args.source))


def _dependencies(args: argparse.Namespace, header: FramesHeader) -> dict[str, Any]:
    """Return everything the results depend on, except where they end."""
    outputs = {f"--{option}": str(path.absolute()) for option, path in outputs_of(args).items()}
    options = {"--start": args.start, "--fps": args.fps}
    return {**header.settings, "source": header.source, **options, "drawing": drawing_of(args), **outputs}


def sound_of(args: argparse.Namespace) -> Path | None:
    """Return the file whose sound belongs to the frames."""
    path = Path(args.source)
    return path if path.is_file() and args.fps is None else None


def finished(end: FramesEnd, source: FrameSource, outputs: Outputs, args: argparse.Namespace) -> Followed:
    """Return the outcome of a source that reached its end; its outputs are closed.

    Raises:
        InputError: It has no frame.
    """
    if not end.frames:
        raise InputError(f"{name_of(args)!r} {_why_empty(args)}")
    came = end.frames + end.skipped
    promised = f"{came} of {came + end.missing} frames"
    fitted = count(outputs.fitted, "frame")
    sentences = {
        f"{args.out} has no sound: {outputs.silent_because}": outputs.silent_because,
        f"{fitted} of another size than the first one were fitted into {args.out}": outputs.fitted,
        f"the stream was reopened {source.reconnects} times": source.reconnects,
        f"{count(end.skipped, 'frame')} could not be decoded": end.skipped,
        f"{name_of(args)} ended after {promised}; get a complete copy of it": end.missing,
    }
    warnings = tuple(sentence for sentence, is_so in sentences.items() if is_so)
    code = EXIT_SOME_FAILED if end.skipped or end.missing else 0
    return Followed(end.frames, outputs.progress.people, code=code, warnings=warnings)


def _why_empty(args: argparse.Namespace) -> str:
    """Return why a source may have no frames, and what to do about it."""
    if args.start or args.stop is not None:
        return "has no frames there; check --start and --stop"
    if is_address(str(args.source)):
        return (
            "gave no frames; perhaps its server does not send parts of a file (byte ranges), which a "
            "video with its index at the end needs; download it, and give the file"
        )
    return "contains no frame that can be decoded; give an intact video"


def stopped(outputs: Outputs, code: int) -> Followed:
    """Return the outcome of a source that did not reach its end."""
    hint = "; continue with --resume" if outputs.can_resume else ""
    frames, people = outputs.progress.frames, outputs.progress.people
    warning = f"stopped after {count(frames, 'frame')}{hint}"
    return Followed(frames, people, complete=False, code=code, warnings=(warning,))


def source_of(word: str) -> str | int:
    """Convert a camera number to an integer, unless a file has that name."""
    return int(word) if word.isdecimal() and not Path(word).exists() else word
