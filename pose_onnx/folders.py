"""What a folder holds, by the names of its files: pictures, videos, and what is skipped.

Names are enough for a folder. A file that is named itself is taken whatever its suffix is.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from pose_onnx.image_files import IMAGE_SUFFIXES

VIDEO_SUFFIXES: Final = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
"""What is taken for a video."""

FOREIGN_SUFFIXES: Final = (".avif", ".heic", ".heif")
"""Pictures that OpenCV's wheels do not read."""

Kind: TypeAlias = Literal["picture", "video", "foreign", "other", "subfolder"]

_SUFFIXES: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {"picture": IMAGE_SUFFIXES, "video": VIDEO_SUFFIXES, "foreign": FOREIGN_SUFFIXES}
)
_IN_WORDS: Final[Mapping[Kind, tuple[str, str]]] = MappingProxyType(
    {
        "picture": ("picture", "pictures"),
        "video": ("video (for pose-onnx video)", "videos (for pose-onnx video)"),
        "foreign": (
            "HEIC or AVIF picture (convert it to JPEG)",
            "HEIC or AVIF pictures (convert them to JPEG)",
        ),
        "other": ("file of another kind", "files of other kinds"),
        "subfolder": ("subfolder (--recursive looks into it)", "subfolders (--recursive looks into them)"),
    }
)


@dataclass(slots=True)
class Skipped:
    """What was found in folders and is not worked on, counted by its kind."""

    counts: Counter[Kind] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        """Say whether there is anything."""
        return self.counts.total() > 0

    def __str__(self) -> str:
        """Return it in words, such as "1 video (for pose-onnx video), 2 files of other kinds"."""
        found = [(_IN_WORDS[kind], number) for kind, number in sorted(self.counts.items()) if number]
        return ", ".join(f"{number} {one if number == 1 else many}" for (one, many), number in found)


def kind_of(name: str) -> Kind:
    """Return what a file is taken for, by its suffix."""
    suffix = PurePath(name).suffix.lower()
    return next((kind for kind, suffixes in _SUFFIXES.items() if suffix in suffixes), "other")


def chosen(names: Iterable[str], wanted: Iterable[Kind], skipped: Skipped) -> Iterator[str]:
    """Give those files of a folder that are wanted, and count the others.

    Args:
        names: Paths relative to the folder. Hidden files, and those in hidden folders, do not count at all.
        wanted: Their kinds.
        skipped: Counts the others.
    """
    kinds = frozenset(wanted)
    for name in names:
        if any(part.startswith(".") for part in PurePath(name).parts):
            continue
        kind = kind_of(name)
        if kind in kinds:
            yield name
        else:
            skipped.counts[kind] += 1


def list_files(folder: Path, skipped: Skipped, *, recursive: bool) -> list[str]:
    """Return the paths of the files in a folder of this machine, relative to it, with slashes, sorted.

    Args:
        folder: Where to look.
        skipped: Counts the subfolders that are not looked into.
        recursive: Look into subfolders too, but not into those that are links: they may be a circle.

    Raises:
        OSError: The folder cannot be listed.
    """
    found: list[str] = []
    for place, below, names in os.walk(folder, onerror=_raise):
        inside = Path(place).relative_to(folder)
        found += [(inside / name).as_posix() for name in names]
        below[:] = [name for name in below if not name.startswith(".")]
        if not recursive:
            skipped.counts["subfolder"] += len(below)
            below.clear()
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error
