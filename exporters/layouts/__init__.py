"""Folders made from finished models: a layout is one file here and one line in `LAYOUTS`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from pose_onnx.errors import UnknownNameError
from pose_onnx.files import write_folder

if TYPE_CHECKING:
    from pose_onnx.exporters.finished import Finished

__all__ = ["LAYOUTS", "lay_out"]

LAYOUTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "golden": "pose_onnx.exporters.golden:files",
        "deepstream": "pose_onnx.exporters.layouts.deepstream:files",
        "triton": "pose_onnx.exporters.layouts.triton:files",
    }
)
"""By name, the function that takes models and a photo to compare on, and gives the files by their paths."""

_Files = Callable[["Sequence[Finished]", "Path | None"], Mapping[str, bytes]]


def check_layouts(names: Sequence[str]) -> None:
    """Refuse a name that is not a layout.

    Raises:
        UnknownNameError: A name is not a layout; the message lists the layouts.
    """
    if unknown := [name for name in names if name not in LAYOUTS]:
        raise UnknownNameError(f"layout {unknown[0]!r} is not known; choose from {', '.join(LAYOUTS)}")


def lay_out(
    models: Sequence[str | os.PathLike[str]],
    layouts: Sequence[str],
    *,
    out: str | os.PathLike[str] = ".",
    photo: str | os.PathLike[str] | None = None,
) -> tuple[Path, ...]:
    """Write folders made from finished models.

    Args:
        models: Name or ONNX file of a detector, of a keypoint model, or of one of each.
        layouts: Names from `LAYOUTS`.
        out: Parent folder: each layout becomes a folder of its name here. Existing files with the same names
            are replaced; other files stay.
        photo: Photo for the comparison; the demo photo if None.

    Returns:
        The folders.

    Raises:
        UnknownNameError, InputError: A layout or model cannot be used.
        ModelFileError: A file is missing or broken.
        ExportError: A layout cannot be made from these models. No layout is written.
    """
    from pose_onnx.exporters.finished import read_finished  # noqa: PLC0415 (heavy)

    check_layouts(layouts)
    finished = read_finished(models)
    picture = None if photo is None else Path(photo)
    made = {name: _function(name)(finished, picture) for name in dict.fromkeys(layouts)}
    for name, files in made.items():
        write_folder(Path(out) / name, files)
    return tuple(Path(out) / name for name in made)


def _function(name: str) -> _Files:
    return cast("_Files", resolve_name(LAYOUTS[name]))
