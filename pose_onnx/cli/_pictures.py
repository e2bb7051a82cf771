"""Which pictures the words on the command line mean, and what their annotated copies are called."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Final

from pose_onnx.errors import InputError
from pose_onnx.image_files import IMAGE_SUFFIXES, is_writable_format

_MARK: Final = "_pose"
_FALLBACK_SUFFIX: Final = ".png"


def find_pictures(words: Iterable[str]) -> list[Path]:
    """Return the pictures that files, folders and glob patterns mean, each once, in the order given.

    A file is taken as it is, be it there or not: reading it says what is wrong with it. A folder means the
    pictures in it, not those of its subfolders.

    Raises:
        InputError: A folder or pattern that holds no picture.
    """
    pictures: dict[str, Path] = {}
    for word in words:
        for path in _expand(word):
            pictures.setdefault(os.path.realpath(path), path)
    return list(pictures.values())


def _expand(word: str) -> list[Path]:
    path = Path(word)
    if path.is_dir():
        found = [entry for entry in path.iterdir() if _is_picture(entry)]
        expected = f"the folder {word!r} holds no picture ({', '.join(IMAGE_SUFFIXES)})"
    elif has_magic(word) and not path.exists():
        names = glob(word, recursive=True)  # noqa: PTH207 (Path.glob refuses absolute patterns)
        found = [path for path in map(Path, names) if path.is_file()]
        expected = f"the pattern {word!r} matches no file"
    else:
        return [path]
    if not found:
        raise InputError(f"{expected}; give photos, a folder of photos, or a pattern such as 'photos/*.jpg'")
    return sorted(found)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def annotated_paths(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """Return where to write each picture's annotated copy: no two the same, and none over a picture."""
    taken = {_place(path) for path in pictures}
    targets = []
    for path in pictures:
        suffix = path.suffix if is_writable_format(path) else _FALLBACK_SUFFIX
        target, copies = folder / f"{path.stem}{_MARK}{suffix}", 1
        while _place(target) in taken:
            copies += 1
            target = folder / f"{path.stem}{_MARK}-{copies}{suffix}"
        taken.add(_place(target))
        targets.append(target)
    return targets


def _place(path: Path) -> str:
    """Return where a path leads, without regard to case, as some file systems compare."""
    return os.path.realpath(path).lower()
