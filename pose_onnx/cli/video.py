"""Follow people through a video: annotated video, JSON Lines, CSV, COCO results, or a window."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from pose_onnx import InputError, PoseModel
from pose_onnx.addresses import redacted
from pose_onnx.cli._actions import action_settings, add_action_options, open_actions_of
from pose_onnx.cli._drawing_options import add_drawing_options, drawing_of
from pose_onnx.cli._exits import EXIT_SOME_FAILED
from pose_onnx.cli._interrupt import uninterrupted
from pose_onnx.cli._options import (
    add_estimator_options,
    open_model_of,
    settings_of,
)
from pose_onnx.cli._tables import count
from pose_onnx.cli._video_outputs import Outputs, add_output_options, check_outputs, is_done, outputs_of
from pose_onnx.core.opencv import cv2
from pose_onnx.formats import FramesEnd, FramesHeader
from pose_onnx.video import FrameSource, VideoPoseEstimator, open_source
from pose_onnx.video.actions import DEFAULT_MODE

EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells do
_SOURCES: Final = "pose_onnx.video.sources.file"
_FFMPEG_IS_SILENT: Final = ("OPENCV_FFMPEG_LOGLEVEL", "-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx video`."""
    add = parser.add_argument
    add("source", metavar="FILE|FOLDER|CAMERA|URL", help="video, folder of frames, camera number, stream")
    add_output_options(parser)
    add_drawing_options(parser)
    add("--start", type=float, metavar="S", help="from this second on")
    add("--stop", type=float, metavar="S", help="until before this second")
    add(
        "--fps",
        type=float,
        help="frames per second of a folder of frames (default: 25); of a file, instead of its own times",
    )
    add(
        "--every",
        type=_every,
        default="auto",
        metavar="N|auto",
        help="look for people in every Nth frame, and follow them in between (default: by their motion)",
    )
    add("--smooth", action=argparse.BooleanOptionalAction, default=True, help="steady the keypoints")
    add("--max-people", type=int, metavar="N", help="follow at most so many")
    add_action_options(parser)
    add_estimator_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx video`."""
    # Damaged and missing frames are counted by us, and FFmpeg writes a line for each.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault(*_FFMPEG_IS_SILENT)
    check_outputs(args)
    if is_done(args):
        print(f"{redacted(args.source)}: nothing is left to do")
        return 0
    with _told_once(), open_model_of(args) as model, open_actions_of(args) as actions:
        smooth = "accurate" if args.smooth else None
        video = VideoPoseEstimator(
            model,
            every=args.every,
            smooth=smooth,
            max_people=args.max_people,
            actions=actions,
            action_windows=args.action_windows or DEFAULT_MODE,
        )
        header = _header(args, model, action_settings(video))
        return _process(video, args, Outputs(args, header, _dependencies(args, header)))


@contextmanager
def _told_once() -> Iterator[None]:
    """Keep what is missing from being logged: this command says it at its end."""
    logger = logging.getLogger(_SOURCES)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _process(video: VideoPoseEstimator, args: argparse.Namespace, outputs: Outputs) -> int:
    options: dict[str, Any] = {"fps": args.fps, "start": args.start or 0.0, "first": outputs.progress.first}
    try:
        with outputs, open_source(_source(args.source), **options) as source:
            outputs.open(source.fps, _sound(args), can_resume=not source.live)
            before = outputs.progress.skipped
            if not _follow(video, source, args, outputs):
                return _stopped(outputs)
            end = FramesEnd(outputs.progress.frames, before + source.skipped, source.missing)
            outputs.finish(end)
    except KeyboardInterrupt:
        _stopped(outputs)
        return EXIT_INTERRUPTED
    return _close(end, source, outputs, args)


def _follow(
    video: VideoPoseEstimator, source: FrameSource, args: argparse.Namespace, outputs: Outputs
) -> bool:
    """Write every frame; say whether the end was reached, or the window closed before."""
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
    """Return how many frames there will be, as far as the source says."""
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
    return FramesHeader(redacted(args.source), model.names, settings)


def _dependencies(args: argparse.Namespace, header: FramesHeader) -> dict[str, Any]:
    """Return all that the results depend on, but for where they end."""
    outputs = {f"--{option}": str(path.absolute()) for option, path in outputs_of(args).items()}
    options = {"--start": args.start, "--fps": args.fps}
    return {**header.settings, "source": header.source, **options, "drawing": drawing_of(args), **outputs}


def _sound(args: argparse.Namespace) -> Path | None:
    """Return the file whose sound fits the frames."""
    path = Path(args.source)
    return path if path.is_file() and args.fps is None else None


def _close(end: FramesEnd, source: FrameSource, outputs: Outputs, args: argparse.Namespace) -> int:
    """Say how it went."""
    if not end.frames:
        raise InputError(f"{redacted(args.source)!r} has no frame there; check --start and --stop")
    places = ", ".join(str(path) for path in outputs_of(args).values())
    people = count(outputs.progress.people, "person", "people")
    print(f"{count(end.frames, 'frame')}, {people}{': ' * bool(places)}{places}")
    if outputs.silent_because:
        _warn(f"{args.out} has no sound: {outputs.silent_because}")
    if outputs.fitted:
        _warn(f"{count(outputs.fitted, 'frame')} of another size than the first: fitted into {args.out}")
    if source.reconnects:
        _warn(f"the stream was opened again {source.reconnects} times")
    if end.skipped:
        _warn(f"{count(end.skipped, 'frame')} could not be decoded")
    if end.missing:
        came = end.frames + end.skipped
        promised = f"{came} of {came + end.missing} frames"
        _warn(f"{redacted(args.source)} ended after {promised}; get a whole copy of it")
    return EXIT_SOME_FAILED if end.skipped or end.missing else 0


def _stopped(outputs: Outputs) -> int:
    hint = "; go on with --resume" if outputs.can_resume else ""
    _warn(f"stopped after {count(outputs.progress.frames, 'frame')}{hint}")
    return 0


def _warn(text: str) -> None:
    print(f"pose-onnx: {text}", file=sys.stderr)


def _source(word: str) -> str | int:
    """Return a camera's number as one, unless a file has that name."""
    return int(word) if word.isdecimal() and not Path(word).exists() else word


def _every(word: str) -> int | Literal["auto"]:
    if word == "auto" or word.isdecimal():
        return "auto" if word == "auto" else int(word)
    raise argparse.ArgumentTypeError(f"{word!r} was given; give a whole number, or auto")
