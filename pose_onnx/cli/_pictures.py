"""Which pictures the words on the command line mean, and what their annotated copies are called."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pose_onnx.core.arrays import Image
from pose_onnx.errors import InputError
from pose_onnx.folders import Skipped, chosen, kind_of, list_files
from pose_onnx.image_files import IMAGE_SUFFIXES, is_writable_format, load_image

_MARK: Final = "_pose"
_FALLBACK_SUFFIX: Final = ".png"
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def find_pictures(words: Iterable[str], skipped: Skipped, *, recursive: bool = False) -> list[Path]:
    """Return the pictures that files, folders and glob patterns mean, each once, in the order given.

    A file is taken as it is, be it there or not: reading it says what is wrong with it.

    Args:
        words: Of the command line.
        skipped: Counts what is in the folders and no picture.
        recursive: A folder means the pictures in its subfolders too.

    Raises:
        InputError: A folder or pattern that holds no picture, or an address.
    """
    pictures: dict[str, Path] = {}
    for word in words:
        for path in _expand(word, skipped, recursive=recursive):
            pictures.setdefault(os.path.realpath(path), path)
    return list(pictures.values())


def load_picture(path: Path) -> Image:
    """Load a picture; what is none by its name is told from a damaged one.

    Raises:
        InputError: It cannot be used; of a video and of a format that OpenCV does not read, what to do.
    """
    kind = kind_of(path.name)
    if kind == "video":
        raise InputError(
            f"{str(path)!r} is a video; follow its people with: pose-onnx video {shlex.quote(str(path))} "
            f"--out {shlex.quote(path.stem + '_pose.mp4')}"
        )
    try:
        return load_image(path)
    except InputError as error:
        if kind != "foreign" or not path.is_file():
            raise
        raise InputError(
            f"{str(path)!r} is in a format that OpenCV does not read here; convert it to JPEG or PNG"
        ) from error


def _expand(word: str, skipped: Skipped, *, recursive: bool) -> list[Path]:
    path = Path(word)
    if path.is_dir():
        here = Skipped()
        names = list_files(path, here, recursive=recursive)
        found = [path / name for name in chosen(names, ("picture",), here)]
        skipped.counts += here.counts
        expected = f"the folder {word!r} holds no picture ({', '.join(IMAGE_SUFFIXES)})"
        if here:
            expected += f", but {here}"
    elif _ADDRESS.match(word) and not path.exists():
        raise InputError(
            f"an address of {urlsplit(word).hostname!r} was given; run reads files of this machine: fetch it "
            "first (pose-onnx video takes streams, pose-onnx batch takes addresses)"
        )
    elif has_magic(word) and not path.exists():
        names = glob(word, recursive=True)  # noqa: PTH207 (Path.glob refuses absolute patterns)
        found = [path for path in map(Path, names) if path.is_file()]
        expected = f"the pattern {word!r} matches no file"
    else:
        return [path]
    if not found:
        raise InputError(f"{expected}; give photos, a folder of photos, or a pattern such as 'photos/*.jpg'")
    return sorted(found)


def annotated_paths(pictures: Sequence[Path], folder: Path, not_over: Iterable[Path]) -> list[Path]:
    """Return where to write each picture's annotated copy: no two the same, and none over given files."""
    taken = {_place(path) for path in not_over}
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
