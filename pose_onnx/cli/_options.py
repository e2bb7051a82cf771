"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from pose_onnx import PRESETS, InputError, ModelCard, PoseModel, __version__, load_card
from pose_onnx.core.angles import COCO_ANGLES, NO_ANGLES, Triple, triple_indices
from pose_onnx.one_pass import NMS
from pose_onnx.pairs import DEFAULT_QUALITY, PAIRS, find_pair
from pose_onnx.pose_estimator import PEOPLE, PoseEstimator, task_of
from pose_onnx.presets import DEFAULT_PRESET


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add `--model`: what a file without a card is."""
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="for a model file without a card: the official name of the model, or a card file (.json); "
        "may be given once for each model",
    )


def add_precision_option(parser: argparse.ArgumentParser) -> None:
    """Add `--precision`: which of a model's files to use."""
    parser.add_argument(
        "--precision",
        default="fp32",
        metavar="NAME",
        help=(
            "which files to use of models given by name: fp32, fp16, int8-dynamic or int8 (default: "
            "%(default)s)"
        ),
    )


def add_threads_option(parser: argparse.ArgumentParser, default: int | None = None) -> None:
    """Add `--threads`."""
    text = f"largest number of threads busy at once (default: {default or 'one per core'})"
    parser.add_argument("--threads", type=int, default=default, metavar="N", help=text)


def add_estimator_options(parser: argparse.ArgumentParser, *, threads: int | None = None) -> None:
    """Add the shared options of the verbs that find people: models, engine and how to run them."""
    add = parser.add_argument
    add_people_options(parser)
    add(
        "--backend",
        default="ort",
        metavar="NAME",
        help="inference engine: ort, tflite, ... (default: %(default)s)",
    )
    add_threads_option(parser, threads)
    add(
        "--device",
        metavar="NAME",
        help="device that runs the models, without fallback to another: cpu, cuda, tensorrt, coreml, ...",
    )
    add(
        "--providers",
        metavar="A,B",
        help="execution providers of ONNX Runtime, in this order, without fallback to others",
    )


def add_pair_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the models: see `models_of`."""
    add = parser.add_argument
    add(
        "--quality",
        default=DEFAULT_QUALITY,
        choices=list(PAIRS),
        help="pair of models: the built-in one, or official ones (default: %(default)s)",
    )
    add("--detector", metavar="NAME|FILE", help="person detector (default: the one of --quality)")
    add(
        "--pose",
        metavar="NAME|FILE",
        help="keypoint model, or a one-pass model, which needs no detector (default: the one of --quality)",
    )
    add_precision_option(parser)


def add_people_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the models and their settings, for any engine."""
    add_pair_options(parser)
    add = parser.add_argument
    add(
        "--preset",
        default=DEFAULT_PRESET,
        choices=list(PRESETS),
        help="settings of the models (default: %(default)s)",
    )
    add(
        "--threshold",
        type=float,
        metavar="SCORE",
        help="boxes with a higher score are people (default: the preset's)",
    )
    add(
        "--flip",
        action="store_true",
        help="also run each person mirrored, and average: more accurate, twice the time",
    )
    add_nms_option(parser)
    add_model_option(parser)


def add_nms_option(parser: argparse.ArgumentParser) -> None:
    """Add `--nms`: what happens to people who overlap better ones."""
    parser.add_argument(
        "--nms",
        choices=list(NMS),
        help="with a one-pass model: lower the scores of people who overlap better ones (default: off)",
    )


def add_angles_option(parser: argparse.ArgumentParser) -> None:
    """Add `--angles`: joint angles in the table."""
    parser.add_argument(
        "--angles",
        action="store_true",
        help="with --csv: also the angles of elbows, shoulders, hips and knees",
    )


def angles_of(args: argparse.Namespace, keypoint_names: Sequence[str]) -> Mapping[str, Triple]:
    """Return the angles to measure.

    Raises:
        InputError: There is no table to write them to, or the model lacks their keypoints.
    """
    if args.angles and not args.csv:
        raise InputError("--angles was given without a table; add --csv FILE")
    angles = COCO_ANGLES if args.angles else NO_ANGLES
    triple_indices(angles, keypoint_names)
    return angles


def open_model_of(args: argparse.Namespace) -> PoseEstimator:
    """Load what the options of `add_estimator_options` ask for, until the end of the `with` block.

    Raises:
        PoseOnnxError: A name, model or option that cannot be used.
    """
    return PoseEstimator(**estimator_arguments(args))


def estimator_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Return those options as arguments of `PoseEstimator`, for a model that is opened elsewhere.

    Raises:
        PoseOnnxError: A card is unknown, or two cards are for one task.
    """
    cards = cards_by_task(args.model)
    return {
        "detector": args.detector,
        "pose": args.pose,
        "quality": args.quality,
        "backend": args.backend,
        "precision": args.precision,
        "threads": args.threads,
        "preset": args.preset,
        "flip": args.flip,
        "threshold": args.threshold,
        "nms": args.nms,
        "detector_card": cards.get("detect"),
        "pose_card": pose_card_of(cards),
        **engine_options(args),
    }


def engine_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options passed to the engine."""
    providers = {"providers": args.providers.split(",")} if args.providers else {}
    return {**providers, **({"device": args.device} if args.device else {})}


def models_of(args: argparse.Namespace) -> dict[str, str]:
    """Return names or paths of the models by role: `detector` and `pose`, or `pose` alone.

    Raises:
        PoseOnnxError: As of `task_of`.
    """
    pair = find_pair(args.quality)
    models = {"detector": args.detector or pair.detector, "pose": args.pose or pair.pose}
    if task_of(args.pose, pose_card_of(cards_by_task(args.model))) == PEOPLE:
        del models["detector"]
    return models


def pose_card_of(cards: Mapping[str, ModelCard]) -> ModelCard | None:
    """Return the card of the keypoint model from cards by task."""
    return cards.get(PEOPLE, cards.get("keypoints"))


def settings_of(args: argparse.Namespace, model: PoseModel) -> dict[str, Any]:
    """Return the settings to store in a result file."""
    return {
        "pose_onnx": __version__,
        "backend": args.backend,
        "precision": args.precision,
        **model.describe(),
    }


def cards_by_task(names: Sequence[str]) -> dict[str, ModelCard]:
    """Load the cards that `--model` named.

    Raises:
        InputError: Two cards are for the same task.
        PoseOnnxError: A name is unknown, or a card file is broken.
    """
    cards: dict[str, ModelCard] = {}
    for card in map(load_card, names):
        if card.task in cards:
            raise InputError(
                f"--model was given {cards[card.task].name!r} and {card.name!r}, which are both for "
                f"{card.task!r}; give one of them"
            )
        cards[card.task] = card
    return cards
