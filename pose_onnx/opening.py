"""Open the pose model that the arguments describe, of any kind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import card_of, is_known_name, load_card
from pose_onnx.errors import InputError
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.loading import CardLike, ModelLike
from pose_onnx.one_pass import OnePassModel
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.presets import DEFAULT_PRESET

PEOPLE: Final = "people"
"""What the card of a model that needs no detector says it is for."""

_UNUSED: Final[Mapping[str, object]] = {
    "detector": None,
    "detector_card": None,
    "batch_size": None,
    "preset": DEFAULT_PRESET,
}
"""Arguments that mean nothing to such a model, and how they are left out."""


def open_pose_model(**arguments: Any) -> PoseEstimator | OnePassModel:
    """Open the model that finds people and their joints; the card of `pose` decides which kind.

    Args:
        arguments: Those of `PoseEstimator`. If `pose` finds people in one pass, it is opened as a
            `OnePassModel`, and no detector may be given.

    Returns:
        The model, a `PoseModel`; the caller closes it.

    Raises:
        PoseOnnxError: One of its subclasses, with a message that says what to do; see `pose_onnx.errors`.

    Example:
        >>> with open_pose_model(pose="multi_pose_dla_3x") as model:  # doctest: +SKIP
        ...     poses = model("photo.jpg")
    """
    if is_one_pass(arguments.get("pose"), arguments.get("pose_card")):
        return OnePassModel(**_of_one_pass(arguments))
    return PoseEstimator(**arguments)


def is_one_pass(pose: ModelLike | KeypointModel | None, card: CardLike | None = None) -> bool:
    """Say whether a model finds people and their joints without a detector.

    Args:
        pose: As for `PoseEstimator`; the result is false for a path that does not exist.
        card: For a file without a card.

    Raises:
        PoseOnnxError: It has no card that can be read.
    """
    if card is not None:
        return (card if isinstance(card, ModelCard) else load_card(card)).task == PEOPLE
    if not isinstance(pose, str | os.PathLike):
        return False
    if isinstance(pose, str) and is_known_name(pose):
        return load_card(pose).task == PEOPLE
    return Path(pose).exists() and card_of(Path(pose), None).task == PEOPLE


def _of_one_pass(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `PoseEstimator` as those of `OnePassModel`."""
    given = [name for name, absent in _UNUSED.items() if arguments.get(name, absent) != absent]
    if given:
        raise InputError(
            f"{given} were given, but the model {arguments['pose']!r} finds people and their joints in one"
            " pass, without a detector; leave them out"
        )
    renamed = {"pose": "model", "pose_card": "card"}
    kept = arguments.keys() - {*_UNUSED, "quality"}
    used = {renamed.get(name, name): arguments[name] for name in kept}
    if used.get("threshold", 0) is None:  # the model's own
        del used["threshold"]
    return used
