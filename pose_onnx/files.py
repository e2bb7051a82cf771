"""Writing files so that a reader sees the whole new file or none of it, and the digests of files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pose_onnx.errors import OutputError

_CHUNK: Final = 1 << 20
"""Bytes that are hashed at a time."""
_LONGEST_START: Final = 100
"""Bytes of a file's name in the name of its temporary file."""


def exists(path: str | os.PathLike[str]) -> bool:
    """Return whether there is a file or folder; one that may not be looked up is not there."""
    try:
        return Path(path).exists()
    except (
        OSError,
        ValueError,
    ):  # too long, in a closed folder; with a null character
        return False


def is_utf8(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is UTF-8, which libraries in C++ expect; in Python, others hold lone surrogates."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def has_repeats(paths: Iterable[Path]) -> bool:
    """Say whether two paths lead to one file, which need not exist."""
    places = [os.path.realpath(path) for path in paths]
    return len(set(places)) < len(places)


def temporary_name(target: Path) -> Path:
    """Return a free name beside `target`, with its suffix, which writers and players rely on."""
    # Not tempfile: its files are readable by their owner only, whatever the umask says.
    return target.with_name(f"{_start_of_parts(target)}{secrets.token_hex(4)}.part{target.suffix}")


def remove_parts(target: Path) -> None:
    """Delete files with a `temporary_name` of `target` that killed processes left behind."""
    ours = re.compile(rf"{re.escape(_start_of_parts(target))}[0-9a-f]{{8}}\.part{re.escape(target.suffix)}")
    with contextlib.suppress(OSError):
        for path in [path for path in target.parent.iterdir() if ours.fullmatch(path.name)]:
            path.unlink()


def _start_of_parts(target: Path) -> str:
    return f".{cut_name(target.stem, _LONGEST_START)}."


def cut_name(name: str, longest: int) -> str:
    """Return as many whole characters from the start of a file name as fit into `longest` bytes."""
    return next(name[:end] for end in range(len(name), -1, -1) if len(os.fsencode(name[:end])) <= longest)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name in the same folder; the finished file is renamed to `path` after the block.

    Raises:
        OutputError: The folder is missing or read-only, the disk is full, ...; nothing is left behind.
    """
    target = Path(path)
    part = temporary_name(target)
    try:
        yield part
        part.replace(target)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(cannot_write(target, error)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` under a temporary name in the same folder, then rename it to `path`.

    Raises:
        OutputError: The folder is missing or read-only, the disk is full, ...; nothing is left behind.
    """
    with atomic_path(path) as part, part.open("xb") as file:
        file.write(data)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder for results, with its parents; one that exists is fine.

    Raises:
        OutputError: It cannot be created, or a file has its name.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(cannot_write(folder, error)) from error
    return folder


def write_folder(path: str | os.PathLike[str], contents: Mapping[str, bytes]) -> None:
    """Write files into a folder, in their order; files of the same names are replaced, others stay.

    Args:
        path: The folder; it need not exist.
        contents: By path inside of it, with "/".

    Raises:
        OutputError: The folder is read-only, the disk is full, ...
    """
    for name, content in contents.items():
        target = Path(path) / name
        make_folder(target.parent)
        atomic_write_bytes(target, content)


def cannot_write(path: Path, error: Exception) -> str:
    """Say in one sentence that a file cannot be written, why, and what to do."""
    reason = getattr(error, "strerror", None) or str(error)
    return f"{str(path)!r} cannot be written ({reason}); choose a writable folder with free space"


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, or of the names and files of a folder, in hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    place, digest = Path(path), hashlib.sha256()
    if place.is_dir():
        for inside in sorted(filter(Path.is_file, place.iterdir())):
            digest.update(f"{inside.name!r} {sha256_of(inside)}\n".encode())
        return digest.hexdigest()
    with place.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
