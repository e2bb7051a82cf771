"""Unpack an untrusted archive: no path outside its folder, no links, no archive bombs.

`zipfile` and `tarfile` read the formats, in a child process. This module adds the missing checks: tarfile's
own filters refuse paths and links, but not sizes, and neither library limits the memory for headers.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import IO, Any, Final, NamedTuple

from pose_onnx.budget import Budget
from pose_onnx.child import call_limited
from pose_onnx.errors import ModelFileError, OutputError
from pose_onnx.files import cannot_write

MAX_FILES: Final = 1000
"""An inference folder has about five files."""
_CHUNK: Final = 1 << 16
"""Maximum number of bytes per read from an archive. A tar header is read at once and is never longer."""
_FOR_A_READ: Final = 1 << 12
"""Budget in bytes per read: the memory Python needs for a header of 512 bytes."""
_ENTRY: Final = b"PK\x01\x02"
"""First bytes of each entry in a zip file's directory."""
_OF_A_MAC: Final = "._"
"""Name prefix of the extra files that macOS adds to archives; they would look like more models."""
_SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_OPENERS: Final[Mapping[bytes, Callable[[Path], Any]]] = MappingProxyType(
    {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
)
"""Openers by the first bytes of a compressed tar file."""


class _Member(NamedTuple):
    """A file of an archive.

    Attributes:
        name: name in the archive.
        size: declared size in bytes.
        open: opens it; `None` if it is a link or a device.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes] | None] | None


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive that can be unpacked, by its name."""
    return path.name.lower().endswith(_SUFFIXES)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a `.zip` or `.tar` (gzip, xz, bzip2) into an empty folder.

    Raises:
        ModelFileError: It is broken, or holds files that no model needs; the caller then discards the folder.
        OutputError: The folder cannot be written.
    """
    _in_child(unpack_here, archive, folder=str(folder))


def demand_archive(archive: Path) -> None:
    """Look at the start of an archive.

    Raises:
        ModelFileError: The file is not an archive.
    """
    _in_child(look_here, archive)


def _in_child(task: Callable[..., None], archive: Path, **arguments: str) -> None:
    name = f"{__name__}:{task.__name__}"
    call_limited(name, {"archive": str(archive), **arguments}, subject=_subject(archive))


def _subject(archive: Path) -> str:
    return f"archive {archive.name!r}"


def look_here(archive: str) -> None:
    """Do `demand_archive` in this process."""
    next(members(Path(archive), Budget(_subject(Path(archive)))), None)


def unpack_here(archive: str, folder: str) -> None:
    """Do `unpack` in this process."""
    path = Path(archive)
    subject = _subject(path)
    budget = Budget(subject)
    for count, member in enumerate(members(path, budget), start=1):
        if count > MAX_FILES:
            raise ModelFileError(
                f"{subject} contains more than {MAX_FILES} files and was not unpacked; give one of a "
                "single model"
            )
        budget.take(member.size)
        target = _target(subject, member.name, Path(folder))
        if target.name.startswith(_OF_A_MAC):
            continue
        source = member.open and member.open()
        if source is None:
            raise ModelFileError(
                f"{subject} contains {member.name[:200]!r}, which is not a file, and was not unpacked; "
                "give an archive of files"
            )
        with source:
            _copy(subject, source, target)


def members(path: Path, budget: Budget) -> Iterator[_Member]:
    """Yield the files of an archive; the memory for their headers is taken from a budget."""
    return (_of_zip if path.suffix.lower() == ".zip" else _of_tar)(path, budget)


def _target(subject: str, name: str, folder: Path) -> Path:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or PureWindowsPath(name).drive
        or not {"\\", "\0"}.isdisjoint(name)
        or ".." in path.parts
        or not path.parts
    ):
        raise ModelFileError(
            f"{subject} contains {name[:200]!r}, a path outside its folder, and was not unpacked; do not "
            "trust its source"
        )
    return folder.joinpath(*path.parts)


def _copy(subject: str, source: IO[bytes], target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise ModelFileError(
            f"{subject} contains {target.name!r} twice and was not unpacked; get it again"
        ) from error
    except OSError as error:
        raise OutputError(cannot_write(target, error)) from error
    with file:
        while chunk := source.read(_CHUNK):
            _write(file, chunk, target)


def _write(file: IO[bytes], chunk: bytes, target: Path) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise OutputError(cannot_write(target, error)) from error


def _of_zip(path: Path, budget: Budget) -> Iterator[_Member]:
    budget.take(_count(path, _ENTRY) * _FOR_A_READ)  # before zipfile reads the directory
    with zipfile.ZipFile(path) as archive:
        for item in archive.infolist():
            kind = stat.S_IFMT(item.external_attr >> 16)  # of Unix; 0 when another system made it
            if not item.is_dir():
                plain = kind in {0, stat.S_IFREG}
                yield _Member(item.filename, item.file_size, partial(archive.open, item) if plain else None)


def _count(path: Path, needle: bytes) -> int:
    """Count how often some bytes occur in a file."""
    count, tail = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            count += (tail + chunk).count(needle)
            tail = chunk[1 - len(needle) :]
    return count


def _of_tar(path: Path, budget: Budget) -> Iterator[_Member]:
    with path.open("rb") as file:
        start = file.read(max(map(len, _OPENERS)))
    opener = next((found for magic, found in _OPENERS.items() if start.startswith(magic)), io.FileIO)
    with opener(path) as plain:
        metered: Any = _Metered(plain, budget)  # has every method that a reading TarFile calls
        with tarfile.open(fileobj=metered, mode="r:") as archive:
            for item in archive:
                if not item.isdir():
                    source = partial(archive.extractfile, item) if item.isreg() else None
                    yield _Member(item.name, item.size, source)


class _Metered:
    """A file for tarfile to read from; it refuses headers that are too long or too many.

    tarfile reads a long name, or the extended fields of a file, at once, at the length its header declares.
    """

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        self._file, self._budget = file, budget
        self.tell, self.seek = file.tell, file.seek

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise tarfile.ReadError("a header is too long")
        self._budget.take(_FOR_A_READ)
        return self._file.read(size)
