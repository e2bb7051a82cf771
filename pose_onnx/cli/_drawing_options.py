"""Drawing options of the verbs that draw people."""

from __future__ import annotations

import argparse
import math
from typing import Any

from pose_onnx.poses import JOINT_THRESHOLD


def add_drawing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `drawing_of` reads."""
    add = parser.add_argument
    add(
        "--min-score",
        type=float,
        default=JOINT_THRESHOLD,
        metavar="SCORE",
        help="draw only joints with at least this score (default: %(default)s)",
    )
    add("--no-boxes", action="store_true", help="draw only skeletons")
    add("--scores", action="store_true", help="label each box with its score")
    add("--legend", action="store_true", help="add a strip below the picture that explains the colours")
    add(
        "--line-width",
        type=_pixels,
        metavar="PX",
        help="line width in pixels (default: depends on the picture and the person)",
    )


def drawing_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `pose_onnx.draw_poses` that were asked for."""
    return {
        "min_score": args.min_score,
        "boxes": not args.no_boxes,
        "scores": args.scores,
        "legend": args.legend,
        "line_width": args.line_width,
    }


def _pixels(word: str) -> float:
    try:
        width = float(word)
    except ValueError:
        width = 0.0
    if not 0 < width < math.inf:
        raise argparse.ArgumentTypeError(f"{word!r} was given; give a number of pixels above 0")
    return width
