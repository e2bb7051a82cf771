"""Action recognition options of `pose-onnx video`."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pose_onnx import ActionModel, InputError
from pose_onnx.cli._options import cards_by_task, engine_options
from pose_onnx.video import VideoPoseEstimator
from pose_onnx.video.actions import DEFAULT_MODE, MODES


def add_action_options(parser: argparse.ArgumentParser) -> None:
    """Add `--actions` and `--action-windows`."""
    add = parser.add_argument
    add(
        "--actions",
        metavar="NAME|FILE",
        help="recognise what people do with this model: stgcn_pphuman, or a file of your own",
    )
    add(
        "--action-windows",
        choices=list(MODES),
        help=f"when to run it: on the last seconds, or as PP-Human does (default: {DEFAULT_MODE})",
    )


def open_actions_of(args: argparse.Namespace) -> AbstractContextManager[ActionModel | None]:
    """Load the model of `--actions`, if there is one, until the end of the `with` block.

    Raises:
        InputError: `--action-windows` was given without it.
        PoseOnnxError: It cannot be loaded.
    """
    if args.actions is None:
        if args.action_windows:
            raise InputError("--action-windows was given without a model; add --actions NAME")
        return nullcontext()
    return ActionModel(
        args.actions,
        card=cards_by_task(args.model).get("actions"),
        backend=args.backend,
        precision=args.precision,
        threads=args.threads,
        **engine_options(args),
    )


def action_settings(video: VideoPoseEstimator) -> dict[str, Any]:
    """Return the action settings to store in results; empty if actions were not requested."""
    if video.actions is None:
        return {}
    return {**video.actions.describe(), "action_windows": video.action_windows}
