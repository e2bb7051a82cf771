"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pose_onnx import InputError, ModelCard, load_card
from pose_onnx._card import Task


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add `--model`: what a file without a card is."""
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="for a model file without a card: the official name of what it is, or a card file (.json); "
        "may be given once for a detector and once for a keypoint model",
    )


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`."""
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads of a model run (default: every core)"
    )


def cards_by_task(names: Sequence[str]) -> dict[Task, ModelCard]:
    """Load the cards that `--model` named.

    Raises:
        InputError: Two for the same task.
        PoseOnnxError: A name that nobody knows, or a broken card file.
    """
    cards: dict[Task, ModelCard] = {}
    for card in map(load_card, names):
        if card.task in cards:
            raise InputError(
                f"--model names {cards[card.task].name!r} and {card.name!r}, both for {card.task!r}; give one"
            )
        cards[card.task] = card
    return cards
