"""The contents of a folder, by file name: pictures, videos, and skipped files.

In a folder, names decide. A file that is given by itself is taken whatever its suffix is.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from pose_onnx.heif import HEIF_SUFFIXES, can_read_heif
from pose_onnx.image_files import IMAGE_SUFFIXES

VIDEO_SUFFIXES: Final = (
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
    ".webm", ".wmv",
)  # fmt: skip
"""What is taken for a video."""

Kind: TypeAlias = Literal["picture", "video", "foreign", "other", "subfolder"]

SOUGHT: Final[frozenset[Kind]] = frozenset({"picture", "video"})
"""What a folder is searched for."""

_SUFFIXES: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {"picture": IMAGE_SUFFIXES, "video": VIDEO_SUFFIXES}
)
_IN_WORDS: Final[Mapping[Kind, tuple[str, str]]] = MappingProxyType(
    {
        "foreign": (
            "HEIC or AVIF picture (pip install 'pose-onnx[heif]' reads it)",
            "HEIC or AVIF pictures (pip install 'pose-onnx[heif]' reads them)",
        ),
        "other": ("file of another kind", "files of other kinds"),
        "subfolder": ("subfolder (--recursive looks into it)", "subfolders (--recursive looks into them)"),
    }
)
_MOST_SUFFIXES: Final = 8
"""How many suffixes of other files are named."""


@dataclass(slots=True)
class Skipped:
    """Files that were found in folders and are skipped.

    Attributes:
        counts: By kind.
        suffixes: Of the files of other kinds; empty where a file has none.
    """

    counts: Counter[Kind] = field(default_factory=Counter)
    suffixes: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        """Say whether there is anything."""
        return self.counts.total() > 0

    def __str__(self) -> str:
        """Return it in words, such as "1 HEIC or AVIF picture (...), 2 files of other kinds (.gif, .txt)"."""
        named = sorted(suffix for suffix, _ in self.suffixes.most_common(_MOST_SUFFIXES) if suffix)
        remark = {"other": f" ({', '.join(named)})" if named else ""}
        found = [(kind, *_IN_WORDS[kind], number) for kind, number in sorted(self.counts.items()) if number]
        return ", ".join(
            f"{number} {one if number == 1 else many}{remark.get(kind, '')}"
            for kind, one, many, number in found
        )

    def add(self, other: Skipped) -> None:
        """Count what was found elsewhere too."""
        self.counts += other.counts
        self.suffixes += other.suffixes


def kind_of(name: str) -> Kind:
    """Return what a file is taken for, by its suffix."""
    suffix = PurePath(name).suffix.lower()
    if suffix in HEIF_SUFFIXES:
        return "picture" if can_read_heif() else "foreign"
    return next((kind for kind, suffixes in _SUFFIXES.items() if suffix in suffixes), "other")


def chosen(names: Iterable[str], skipped: Skipped) -> Iterator[str]:
    """Yield the pictures and videos of a folder, and count the other files.

    Args:
        names: Paths relative to the folder. Hidden files, and those in hidden folders, do not count at all.
        skipped: Counts the others.
    """
    for name in names:
        if any(part.startswith(".") for part in PurePath(name).parts):
            continue
        kind = kind_of(name)
        if kind in SOUGHT:
            yield name
            continue
        skipped.counts[kind] += 1
        if kind == "other":
            skipped.suffixes[PurePath(name).suffix.lower()] += 1


def list_files(folder: Path, skipped: Skipped, *, recursive: bool) -> list[str]:
    """Return the paths of the files in a folder of this machine, relative to it, with slashes, sorted.

    Args:
        folder: Where to look.
        skipped: Counts the subfolders that are not looked into.
        recursive: Look into subfolders too, except links, which may form a cycle.

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
