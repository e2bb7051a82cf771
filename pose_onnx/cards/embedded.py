"""Read the card inside a model file, without any engine."""

from __future__ import annotations

import os
from pathlib import Path

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.errors import MissingCardError, ModelFileError
from pose_onnx.files import exists
from pose_onnx.runtimes._admission import SUFFIXES, admit


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Return the card stored in an exported model file.

    Args:
        path: A `.onnx` or `.tflite` file.

    Raises:
        ModelFileError: The file does not exist, is of another kind, or is damaged.
        MissingCardError: The model is intact but has no card.
        CardError: The card has wrong fields.
    """
    file = Path(path)
    if not (exists(file) and file.is_dir()):
        suffix = file.suffix.lower()
        if suffix not in SUFFIXES:
            raise ModelFileError(
                f"{str(file)!r} is not a model file; its name must end in one of {sorted(SUFFIXES)}"
            )
        text = admit(file, suffix).metadata.get(CARD_KEY)
        if text is not None:
            return ModelCard.from_json(text)
    raise MissingCardError(
        f"{str(file)!r} contains no model card; say which model it is, with --model NAME on the command "
        "line or card= in Python"
    )
