"""From a model's name to its card and its file."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

from pose_onnx._card import ModelCard
from pose_onnx._card_file import read_card
from pose_onnx._errors import CardError, ModelFileError, UnknownNameError
from pose_onnx.runtimes import model_suffix

HOME_VARIABLE: Final = "POSE_ONNX_HOME"
"""Environment variable that moves the folder of converted models."""


def models_home() -> Path:
    """Return the folder where converted models are looked for; it need not exist."""
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~")).expanduser()
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return base / "pose-onnx"


def card_names() -> tuple[str, ...]:
    """Return the names of all models that this package has a card of."""
    cards = files("pose_onnx.models").iterdir()
    return tuple(sorted(card.name.removesuffix(".json") for card in cards if card.name.endswith(".json")))


def load_card(name: str | os.PathLike[str]) -> ModelCard:
    """Return the card of a model by its official name, or from a card file (`.json`).

    Raises:
        UnknownNameError: No card has this name.
        CardError: The card file cannot be read, or has wrong fields.
    """
    if str(name).endswith(".json"):
        try:
            return ModelCard.from_json(Path(name).read_bytes())
        except OSError as error:
            raise CardError(f"card file {str(name)!r} cannot be read: {error.strerror}") from error
    if str(name) not in card_names():
        raise UnknownNameError(f"model {str(name)!r} is not known; choose one of {list(card_names())}")
    return ModelCard.from_json((files("pose_onnx.models") / f"{name}.json").read_bytes())


def resolve_model(model: str | os.PathLike[str], backend: str = "ort", precision: str = "fp32") -> Path:
    """Return the file of a model: a path as it is; a name's from the package or the models' folder.

    Args:
        model: Path of a model file, or a name.
        backend: Which file format a name stands for.
        precision: Which export a name stands for: "fp32", or another that files are named after.

    Raises:
        UnknownNameError: Neither a file nor a known name.
        ModelFileError: A known name whose file is not on this machine; the message says how to make it.
    """
    path = Path(model)
    if path.suffix in {".onnx", ".tflite"} or path.exists():
        return path
    card = load_card(model)
    variant = "" if precision == "fp32" else f"_{precision}"
    file_name = card.name + variant + model_suffix(backend)
    for candidate in (Path(str(files("pose_onnx.models") / file_name)), models_home() / file_name):
        if candidate.is_file():
            return candidate
    raise ModelFileError(
        f"model {card.name!r} has no {file_name} in {str(models_home())!r}; fetch {card.download} and run: "
        f"pose-onnx export {card.name}.pdparams --model {card.name} --out {models_home()}"
    )


def card_of(path: Path, card: ModelCard | str | os.PathLike[str] | None) -> ModelCard:
    """Return the given card, or the one inside the model file."""
    if isinstance(card, ModelCard):
        return card
    return read_card(path) if card is None else load_card(card)
