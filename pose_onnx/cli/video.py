"""Track people through a video: annotated video, JSON Lines, CSV, COCO results, or a window."""

from __future__ import annotations

import argparse
import sys
from typing import Literal

from pose_onnx.cli._actions import add_action_options
from pose_onnx.cli._drawing_options import add_drawing_options
from pose_onnx.cli._follow import Followed, follow, name_of, silence
from pose_onnx.cli._follow_many import follow_many, one_each
from pose_onnx.cli._options import add_estimator_options, open_model_of
from pose_onnx.cli._video_outputs import add_output_options, check_outputs, is_done, outputs_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx video`."""
    add = parser.add_argument
    add(
        "source",
        nargs="+",
        metavar="FILE|FOLDER|CAMERA|URL",
        help="video, folder of frames, camera number or stream; several are run at once, and each has its "
        "own outputs: NAME-1.jsonl, NAME-2.jsonl, ...",
    )
    parser.set_defaults(name=None)  # `run` sets its own names
    add_output_options(parser)
    add_drawing_options(parser)
    add("--start", type=float, metavar="S", help="start at this second")
    add("--stop", type=float, metavar="S", help="stop before this second")
    add(
        "--fps",
        type=float,
        help="frames per second of a folder of frames (default: 25); for a file, replaces its own times",
    )
    add(
        "--every",
        type=_every,
        default="auto",
        metavar="N|auto",
        help=(
            "run the detector in every Nth frame and track people in between (default: depends on their "
            "motion)"
        ),
    )
    add("--smooth", action=argparse.BooleanOptionalAction, default=True, help="smooth the keypoints")
    add("--max-people", type=int, metavar="N", help="track at most this many people")
    add_action_options(parser)
    add_estimator_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx video`."""
    silence()
    many = one_each(args)
    for one in many:
        check_outputs(one)
    to_do = [one for one in many if not is_done(one)]
    for one in many:
        if one not in to_do:
            print(f"{name_of(one)}: nothing is left to do")
    if not to_do:
        return 0
    with open_model_of(args) as model:
        alone = len(to_do) == 1
        results = [follow(model, to_do[0])] if alone else follow_many(model, to_do)
    for one, followed in zip(to_do, results, strict=True):
        _tell(one, followed, "" if len(many) == 1 else f"{name_of(one)}: ")
    return max(followed.code for followed in results)


def _tell(args: argparse.Namespace, followed: Followed, name: str) -> None:
    if followed.complete:
        places = ", ".join(str(path) for path in outputs_of(args).values())
        print(f"{name}{followed}: {places}" if places else f"{name}{followed}")
    for warning in followed.warnings:
        print(f"pose-onnx: {name}{warning}", file=sys.stderr)


def _every(word: str) -> int | Literal["auto"]:
    if word == "auto" or word.isdecimal():
        return "auto" if word == "auto" else int(word)
    raise argparse.ArgumentTypeError(f"{word!r} was given; give a whole number, or auto")
