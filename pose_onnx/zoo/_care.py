"""Find, check and remove the models in the models' folder."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pose_onnx.cards.lookup import check_name, load_card, models_home, official_names, package_files
from pose_onnx.errors import OutputError, UnknownNameError
from pose_onnx.files import sha256_of
from pose_onnx.zoo._store import DOWNLOADS, Store

State = Literal["ok", "changed", "missing", "not pinned"]
_MODEL_SUFFIXES: Final = frozenset({".onnx", ".tflite"})


@dataclass(frozen=True, slots=True)
class Checked:
    """One file of the folder.

    Attributes:
        model: name of its model; empty if unknown.
        path: path of the file.
        state: "ok", "changed" or "missing" against the pinned digest; "not pinned" if another program, such
            as `pose-onnx export`, put it there.
    """

    model: str
    path: Path
    state: State


def where(name: str) -> tuple[Path, ...]:
    """Return every file of a model on this machine, bundled files first.

    Raises:
        UnknownNameError: No card has this name.
        ModelFileError: The table of pins is broken.
    """
    load_card(name)
    store = Store(models_home())
    candidates = [*store.pins().get(name, {}), f"{name}.onnx", f"{name}.tflite"]
    here = [path for path in map(store.path, dict.fromkeys(candidates)) if path.is_file()]
    return (*package_files(name), *here)


def check() -> tuple[Checked, ...]:
    """Hash every file of the models' folder again.

    Raises:
        ModelFileError: The table of pins is broken.
    """
    store = Store(models_home())
    pins = store.pins()
    found = [
        Checked(model, store.path(name), _state(store.path(name), sha256))
        for model, files in pins.items()
        for name, sha256 in files.items()
    ]
    known = {item.path for item in found}
    files = sorted(store.home.iterdir()) if store.home.is_dir() else []
    strange = [path for path in files if path.suffix in _MODEL_SUFFIXES and path not in known]
    return (*found, *(Checked("", path, "not pinned") for path in strange))


def _state(path: Path, sha256: str) -> State:
    if not path.is_file():
        return "missing"
    return "ok" if sha256_of(path) == sha256 else "changed"


def remove(name: str) -> tuple[Path, ...]:
    """Delete only the files that `pull` or `add` put into the models' folder for a model.

    Returns:
        The files that were deleted.

    Raises:
        InputError: The name is not valid.
        UnknownNameError: The folder has no model of that name.
        OutputError: A file cannot be deleted.
    """
    check_name(name)
    store = Store(models_home())
    # A name has no dot, so this finds no other model's unfinished download.
    parts = list(store.path(DOWNLOADS).glob(f".part.{name}.*"))
    if name not in store.pins() and not parts:
        owner = "is bundled or not on this machine" if name in official_names() else "is not on this machine"
        raise UnknownNameError(
            f"{name!r} {owner}: none of its files was pulled or added to {str(store.home)!r}"
        )
    with store.locked(name):
        files = [store.path(each) for each in store.pins().get(name, {})]
        files = [path for path in (*files, *parts) if path.is_file()]
        try:
            for path in files:
                path.unlink()
        except OSError as error:
            raise OutputError(f"{error.filename!r} cannot be deleted ({error.strerror})") from error
        store.forget(name)
        with contextlib.suppress(OSError):  # it holds downloads of other models
            store.path(DOWNLOADS).rmdir()
    return tuple(files)
