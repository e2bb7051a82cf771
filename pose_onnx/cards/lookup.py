"""Find a model's card and file by its name. `pose_onnx.zoo` puts files where this module looks."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.embedded import read_card
from pose_onnx.errors import CardError, InputError, ModelFileError, unknown_name
from pose_onnx.files import exists
from pose_onnx.runtimes import FOLDER, model_suffix

HOME_VARIABLE: Final = "POSE_ONNX_HOME"
"""Environment variable that moves the folder of converted models."""
_PULLED: Final = ("fp32", "fp16", "int8-dynamic")
"""Precisions that need only the download."""
_CALIBRATED: Final = "int8"
"""The precision that also needs photos."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
"""No dots, so a name is never a file name, and `NAME.json` is a card but `NAME.receipt.json` is not."""


def models_home() -> Path:
    """Return the folder that is searched for converted models; it need not exist."""
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~")).expanduser()
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return base / "pose-onnx"


def check_name(name: str) -> None:
    """Refuse text that cannot be a model's name.

    Raises:
        InputError: It is empty or too long, or has characters other than letters, digits, "_" and "-".
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be a model's name; use up to 100 letters, digits, '_' and '-', a letter or"
            " digit first"
        )


def fit_name(text: str) -> str:
    """Turn any text into a model's name: characters that a name cannot have become "_"."""
    return re.sub("[^A-Za-z0-9_-]+", "_", text).lstrip("_-")[:100] or "model"


def file_name(name: str, suffix: str, precision: str = "fp32") -> str:
    """Return the name of a model's file: `<name>.onnx`, `<name>_fp16.tflite`, ..."""
    return f"{name}{'' if precision == 'fp32' else f'_{precision}'}{suffix}"


@cache
def official_names() -> tuple[str, ...]:
    """Return the names of the models whose cards ship with the package."""
    cards = files("pose_onnx.models").iterdir()
    return tuple(sorted(card.name.removesuffix(".json") for card in cards if card.name.endswith(".json")))


def card_names() -> tuple[str, ...]:
    """Return all model names: first those whose cards ship with the package, then those registered here."""
    return (*official_names(), *(name for name, problem in _own_cards() if not problem))


def broken_cards() -> tuple[str, ...]:
    """Return a sentence about each file in the models' folder that is named like a card but is not one."""
    return tuple(problem for _, problem in _own_cards() if problem)


def _own_cards() -> Iterator[tuple[str, str]]:
    """Yield the name of each card in the models' folder and what is wrong with it (empty if nothing is)."""
    try:
        paths = sorted(path for path in models_home().glob("*.json") if path.is_file())
    except OSError:  # a folder that we may not list counts as empty
        paths = []
    for path in paths:
        if not _NAME.fullmatch(path.stem) or path.stem in official_names():
            continue
        try:
            _read_card_file(path)
        except CardError as error:
            yield path.stem, str(error)
        else:
            yield path.stem, ""


def is_known_name(model: str | os.PathLike[str]) -> bool:
    """Say whether a word is the name of a known model. A path object is always a path."""
    return isinstance(model, str) and model in card_names()


def load_card(name: str | os.PathLike[str]) -> ModelCard:
    """Return a model's card, by name or from a card file (`.json`).

    Raises:
        UnknownNameError: No card has this name.
        CardError: The card file cannot be read, or has wrong fields.
    """
    if str(name).endswith(".json"):
        return _read_card_file(Path(name))
    if str(name) in official_names():
        return ModelCard.from_json((files("pose_onnx.models") / f"{name}.json").read_bytes())
    own = models_home() / f"{name}.json"
    if not (_NAME.fullmatch(str(name)) and own.is_file()):
        raise unknown_name("model", str(name), card_names())
    return _read_card_file(own)


def _read_card_file(path: Path) -> ModelCard:
    try:
        return ModelCard.from_json(path.read_bytes())
    except OSError as error:
        raise CardError(
            f"card file {str(path)!r} cannot be read ({error.strerror}); give a readable card file"
        ) from error
    except CardError as error:
        raise CardError(f"card file {str(path)!r} is not valid: {error}") from error
    except RecursionError as error:
        raise CardError(
            f"card file {str(path)!r} is nested too deeply; write it like those in models/"
        ) from error


def package_files(name: str) -> tuple[Path, ...]:
    """Return the files of a built-in model; other models have none."""
    folder = Path(str(files("pose_onnx.models")))
    wanted = re.compile(rf"{re.escape(name)}(_(fp|int)\d+)?\.(onnx|tflite)")
    return tuple(path for path in sorted(folder.iterdir()) if wanted.fullmatch(path.name))


def resolve_model(model: str | os.PathLike[str], backend: str = "ort", precision: str = "fp32") -> Path:
    """Return the file of a model. A path is returned as is; a name is looked up.

    Names are looked up in the package and the models' folder. A known name always means that model, even if
    a file or folder has the same name; write `./NAME` for a path.

    Args:
        model: Path of a model file, or a name.
        backend: Which file format a name stands for.
        precision: Which export a name stands for: "fp32", or another precision used in file names.

    Raises:
        UnknownNameError: Neither a file nor a known name.
        ModelFileError: The name is known but its file is not on this machine; the message says how to get it.
    """
    path = Path(model)
    if not is_known_name(model) and (path.suffix in {".onnx", ".tflite"} or exists(path)):
        return path
    name = str(model)
    load_card(name)  # says which names are known
    if found := find_file(name, backend, precision):
        return found
    wanted = file_name(name, model_suffix(backend), precision)
    raise ModelFileError(
        f"model {name!r} has no {wanted} in {str(models_home())!r}; {how_to_get(name, backend, precision)}"
    )


def find_file(name: str, backend: str, precision: str) -> Path | None:
    """Return a named model's file from the package or the models' folder, if it is on this machine."""
    wanted = file_name(name, model_suffix(backend), precision)
    candidates = (Path(str(files("pose_onnx.models") / wanted)), models_home() / wanted)
    return next(filter(Path.is_file, candidates), None)


def how_to_get(name: str, backend: str, precision: str, also: Sequence[str] = ()) -> str:
    """Return what to do about a known model whose file is not on this machine, as the end of a sentence.

    Args:
        name: The model's name.
        backend: What shall run it.
        precision: The wanted export, known or not.
        also: More missing models, to be fetched with the same command if one can be fetched.
    """
    card = load_card(name)
    if precision not in (known := (*_PULLED, _CALIBRATED)):
        return f"choose a precision from {', '.join(known)}"
    if model_suffix(backend) == FOLDER:
        return f"backend {backend!r} runs folders, which have no names; give the path of one"
    if package_files(name):
        return "it is bundled in one precision only; leave the precision out"
    options = "" if precision == "fp32" else f" --precision {precision}"
    if not card.download:
        return _how_to_add(name, options)
    if precision == _CALIBRATED:
        return (
            f"make it from {card.download} with: pose-onnx export FILE --model {name}{options}"
            f" --calibration PHOTOS --annotations JSON --images DIR --out {models_home()} (docs/precision.md)"
        )
    pull = f"pose-onnx models pull {' '.join([name, *also])}{options}"
    other = find_file(name, "ort", precision)
    return f"fetch and convert with: {pull}" if other is None else _how_to_complete(other, backend, pull)


def _how_to_add(name: str, options: str) -> str:
    if name not in official_names():
        return f"add it with: pose-onnx models add FILE --name {name}{options}"
    return (
        "no weights are published for it; add your own with: pose-onnx models add FILE --name MY_NAME"
        f" --like {name}{options}"
    )


def _how_to_complete(other: Path, backend: str, pull: str) -> str:
    return (
        f"only {other.name} was converted; use backend 'ort' instead of {backend!r}, or install"
        f" pose-onnx[tflite] and run: {pull} (two-stage detectors have no TFLite file)"
    )


def card_of(path: Path, card: ModelCard | str | os.PathLike[str] | None) -> ModelCard:
    """Return the given card, else the one the file was registered with, else the one inside the file."""
    if isinstance(card, ModelCard):
        return card
    if card is None and path.parent == models_home() and (name := path.stem) not in official_names():
        card = name if _NAME.fullmatch(name) and path.with_suffix(".json").is_file() else None
    return read_card(path) if card is None else load_card(card)
