"""Follow people through a video: annotated video, JSON Lines, CSV, COCO results, or a window."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pose_onnx import InputError, PoseEstimator
from pose_onnx.cli._interrupt import uninterrupted
from pose_onnx.cli._options import (
    add_estimator_options,
    add_min_score_option,
    estimator_of,
    estimator_settings,
)
from pose_onnx.cli._tables import count
from pose_onnx.cli._video_outputs import Outputs, add_output_options, check_outputs, next_start
from pose_onnx.core.opencv import cv2
from pose_onnx.formats import FramesHeader

if TYPE_CHECKING:
    from pose_onnx.video import Frame, FrameSource, VideoPoseEstimator

EXIT_SOME_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells do


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx video`."""
    add = parser.add_argument
    add("source", metavar="FILE|FOLDER|CAMERA|URL", help="video, folder of frames, camera number, stream")
    add_output_options(parser)
    add_min_score_option(parser)
    add("--start", type=float, metavar="S", help="from this second on; continues the file of --jsonl")
    add("--stop", type=float, metavar="S", help="until before this second")
    add("--fps", type=float, help="frames per second of a folder of frames (default: 25)")
    add(
        "--every",
        type=_every,
        default="auto",
        metavar="K|auto",
        help="look for people in every K-th frame, and follow them between (default: by their motion)",
    )
    add("--smooth", action=argparse.BooleanOptionalAction, default=True, help="steady the keypoints")
    add("--max-people", type=int, metavar="N", help="follow at most so many")
    add_estimator_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx video`."""
    from pose_onnx.video import VideoPoseEstimator, open_source  # noqa: PLC0415 (only this verb needs it)

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damaged frames are counted by us
    check_outputs(args)
    with (
        estimator_of(args) as estimator,
        open_source(_source(args.source), fps=args.fps, start=args.start or 0.0) as source,
    ):
        smooth = "accurate" if args.smooth else None
        video = VideoPoseEstimator(estimator, every=args.every, smooth=smooth, max_people=args.max_people)
        header = _header(args, estimator)
        audio_from = Path(args.source) if Path(args.source).is_file() else None
        seen = _Seen()
        try:
            with Outputs(args, header, source.fps, audio_from) as outputs:
                _follow(video, source, args, outputs, seen)
        except KeyboardInterrupt:
            return _interrupted(seen, source)
    return _close(seen, source, outputs, args)


@dataclass(slots=True)
class _Seen:
    frames: int = 0
    time: float = 0.0  # of the last of them, seconds
    ids: set[int] = field(default_factory=set)

    def add(self, frame: Frame) -> None:
        self.frames, self.time = self.frames + 1, frame.time
        self.ids.update(() if frame.poses.ids is None else frame.poses.ids.tolist())


def _follow(
    video: VideoPoseEstimator, source: FrameSource, args: argparse.Namespace, outputs: Outputs, seen: _Seen
) -> None:
    from tqdm import tqdm  # noqa: PLC0415 (only some verbs show a bar)

    with tqdm(total=_total(source, args), unit="frame", disable=None) as bar:
        for frame in video.run(source, stop=args.stop):
            with uninterrupted():  # no frame is in one file and not in another
                seen.add(outputs.write(frame))
            bar.set_postfix(people=len(frame.poses), refresh=False)
            bar.update()
            if not outputs.wanted:
                return


def _total(source: FrameSource, args: argparse.Namespace) -> int | None:
    """Return how many frames there will be, as far as the source says."""
    if source.frame_count is None or not source.fps:
        return None
    last = source.frame_count if args.stop is None else min(source.frame_count, args.stop * source.fps)
    return max(0, round(last - (args.start or 0) * source.fps))


def _header(args: argparse.Namespace, estimator: PoseEstimator) -> FramesHeader:
    settings = {
        **estimator_settings(args, estimator),
        "every": args.every,
        "smooth": args.smooth,
        "max_people": args.max_people,
    }
    return FramesHeader(args.source, estimator.keypoint_model.card.keypoints, settings)


def _close(seen: _Seen, source: FrameSource, outputs: Outputs, args: argparse.Namespace) -> int:
    """Say how it went."""
    if not seen.frames:
        raise InputError(f"{args.source!r} has no frame there; check --start and --stop")
    places = ", ".join(path for path in (args.out, args.jsonl, args.csv, args.coco) if path)
    people = count(len(seen.ids), "person", "people")
    print(f"{count(seen.frames, 'frame')}, {people}{': ' * bool(places)}{places}")
    if outputs.silent_because:
        print(f"pose-onnx: {args.out} has no sound: {outputs.silent_because}", file=sys.stderr)
    if source.reconnects:
        print(f"pose-onnx: the stream was opened again {source.reconnects} times", file=sys.stderr)
    if source.skipped:
        print(f"pose-onnx: {count(source.skipped, 'frame')} could not be decoded", file=sys.stderr)
        return EXIT_SOME_FAILED
    return 0


def _interrupted(seen: _Seen, source: FrameSource) -> int:
    done = f"stopped after {count(seen.frames, 'frame')}"
    hint = "" if source.live else f"; continue with --start {next_start(seen.time)}"
    print(f"pose-onnx: {done}{hint if seen.frames else ''}", file=sys.stderr)
    return EXIT_INTERRUPTED


def _source(word: str) -> str | int:
    """Return a camera's number as one, unless a file has that name."""
    return int(word) if word.isdecimal() and not Path(word).exists() else word


def _every(word: str) -> int | Literal["auto"]:
    if word == "auto" or word.isdecimal():
        return "auto" if word == "auto" else int(word)
    raise argparse.ArgumentTypeError(f"{word!r} was given; give a whole number, or auto")
