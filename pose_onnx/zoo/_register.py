"""Register your own model file under a name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.embedded import read_card
from pose_onnx.cards.lookup import check_name, file_name, load_card, models_home, official_names
from pose_onnx.errors import InputError, ModelFileError
from pose_onnx.files import atomic_write_bytes
from pose_onnx.loading import check_fit
from pose_onnx.runtimes import backend_for, open_runtime
from pose_onnx.zoo._pull import SUFFIXES, convert, demand_convertible
from pose_onnx.zoo._store import Store


def add(
    file: str | os.PathLike[str],
    name: str,
    *,
    card: ModelCard | str | os.PathLike[str] | None = None,
    like: str | None = None,
    precision: Sequence[str] = ("fp32",),
) -> tuple[Path, ...]:
    """Register a model file under a name that can be used like an official one.

    Args:
        file: an exported `.onnx` or `.tflite` file, which is copied; or a checkpoint (`.pdparams`, `.npz`), a
            Paddle inference folder or an archive of one, which is converted. The second format of a model may
            be added under the same name.
        name: new name, of letters, digits, "_" and "-".
        card: its card, or a card file; not needed if the file contains one.
        like: name of a model whose card to use, instead of `card`.
        precision: precisions of the stored weights, if the file is converted: "fp32", "fp16", "int8-dynamic".

    Returns:
        The files put into the models' folder: the model's files and its card.

    Raises:
        InputError: The name cannot be used or is taken, or there is no card.
        ModelFileError: The file is missing or broken, or does not fit the card.
        PoseOnnxError: As in `pose_onnx.exporters.export`, if the file is converted.
    """
    path = Path(file)
    check_name(name)
    if name in official_names():
        raise InputError(f"{name!r} is the name of an official model; choose another name")
    if not path.exists():
        raise ModelFileError(f"{str(path)!r} does not exist; give an exported file or a checkpoint")
    own = _own_card(path, name, card, like)
    store = Store(models_home())
    with store.locked(name), store.workspace(name) as work:
        _demand_same_model(store, own)
        make = _MAKERS.get(path.suffix.lower(), _converted)
        files = {made.name: made for made in make(path, own, precision, work)}
        if taken := [each for each in files if store.path(each).exists()]:
            raise InputError(
                f"{taken} already exist in {str(store.home)!r}; run pose-onnx models remove {name} first, "
                "or choose another name"
            )
        card_file = work / f"{name}.json"
        atomic_write_bytes(card_file, own.to_json().encode())
        return store.put(name, files | {card_file.name: card_file})


def _own_card(
    path: Path, name: str, card: ModelCard | str | os.PathLike[str] | None, like: str | None
) -> ModelCard:
    if like is not None:
        return load_card(like).without_claims(name, f"registered, run like {like}")
    if card is not None:
        return replace(card if isinstance(card, ModelCard) else load_card(card), name=name)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{str(path)!r} contains no model card; name a model that it is run like (--like NAME), or "
            "give its card (--card FILE)"
        )
    return replace(read_card(path), name=name)


def _demand_same_model(store: Store, own: ModelCard) -> None:
    """Under a name that is taken, allow only another format of the same model."""
    if store.path(f"{own.name}.json").exists() and load_card(own.name) != own:
        raise InputError(
            f"{own.name!r} is registered with another card; run pose-onnx models remove {own.name} first, "
            "or choose another name"
        )


def _copied(path: Path, own: ModelCard, precision: Sequence[str], work: Path) -> list[Path]:
    """Copy an exported file that runs and fits its card."""
    del precision
    runtime = open_runtime(path, backend_for(path), threads=1)
    try:
        check_fit(own, runtime, own.task, str(path))
    finally:
        runtime.close()
    target = work / file_name(own.name, path.suffix.lower())
    shutil.copyfile(path, target)
    return [target]


def _converted(path: Path, own: ModelCard, precision: Sequence[str], work: Path) -> list[Path]:
    demand_convertible(precision)
    done = convert(path, own, precision, work)
    return [*done.files, done.receipt]


_MAKERS: Final[Mapping[str, Callable[[Path, ModelCard, Sequence[str], Path], list[Path]]]] = MappingProxyType(
    dict.fromkeys(SUFFIXES, _copied)
)
"""By suffix; everything else is converted."""
