"""Unpack an archive that nobody vouches for: no path outside the folder, no links, limited size and count."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import IO, Final

from pose_onnx.errors import ModelFileError

MAX_FILES: Final = 1000
"""An inference folder has about five files."""
MAX_BYTES: Final = 2 << 30
"""Unpacked, all files together; the largest models have half of it."""
_CHUNK: Final = 1 << 20

Member = tuple[str, Callable[[], "IO[bytes] | None"]]
"""Name in the archive, and how to open it."""

_BROKEN: Final = (
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # an encrypted file
    UnicodeError,
)


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is an archive that can be unpacked."""
    return _suffix(path) is not None


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a `.zip` or `.tar` (gzip, xz, bzip2) into an empty folder.

    Raises:
        ModelFileError: It is broken, or holds what no model needs; the folder is to be thrown away then.
    """
    room = MAX_BYTES
    with _members(archive) as members:
        for count, (name, opener) in enumerate(members, start=1):
            if count > MAX_FILES:
                raise ModelFileError(
                    f"archive {archive.name!r} holds more than {MAX_FILES} files; not unpacked"
                )
            source = opener()
            if source is None:
                raise ModelFileError(
                    f"archive {archive.name!r} holds {name!r}, which is no file; not unpacked"
                )
            with source:
                room -= _copy(source, _target(archive, name, folder), room, archive)


def demand_archive(path: Path) -> None:
    """Look at the start of an archive.

    Raises:
        ModelFileError: It is none.
    """
    with _members(path) as members:
        next(members, None)


@contextlib.contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    try:
        with contextlib.closing(_MEMBERS[_suffix(archive) or ".zip"](archive)) as members:
            yield members
    except _BROKEN as error:
        raise ModelFileError(
            f"archive {archive.name!r} is broken ({type(error).__name__}: {error}); download it again"
        ) from error


def _target(archive: Path, name: str, folder: Path) -> Path:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or PureWindowsPath(name).drive
        or "\\" in name
        or ".." in path.parts
        or not path.parts
    ):
        raise ModelFileError(
            f"archive {archive.name!r} holds {name!r}, a path outside its folder; not unpacked; "
            "do not trust where it came from"
        )
    return folder.joinpath(*path.parts)


def _copy(source: IO[bytes], target: Path, room: int, archive: Path) -> int:
    """Copy one file, counting what really comes out: a header may lie."""
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > room:
                    raise ModelFileError(
                        f"archive {archive.name!r} holds more than {MAX_BYTES:,} bytes; not unpacked"
                    )
                file.write(chunk)
    except (FileExistsError, NotADirectoryError) as error:
        raise ModelFileError(f"archive {archive.name!r} holds {target.name!r} twice; not unpacked") from error
    return written


def _zip_members(path: Path) -> Generator[Member, None, None]:
    with zipfile.ZipFile(path) as archive:
        for item in archive.infolist():
            kind = stat.S_IFMT(item.external_attr >> 16)  # of Unix; 0 when another system made it
            if item.is_dir():
                continue
            plain = kind in {0, stat.S_IFREG}
            yield item.filename, partial(archive.open, item) if plain else _nothing


def _tar_members(path: Path) -> Generator[Member, None, None]:
    with tarfile.open(path) as archive:
        for item in archive:
            if not item.isdir():
                yield item.name, partial(archive.extractfile, item) if item.isreg() else _nothing


def _nothing() -> None:
    """Links and devices are not opened."""


_MEMBERS: Final = MappingProxyType(
    {
        ".zip": _zip_members,
        ".tar": _tar_members,
        ".tar.gz": _tar_members,
        ".tgz": _tar_members,
        ".tar.xz": _tar_members,
        ".tar.bz2": _tar_members,
    }
)


def _suffix(path: Path) -> str | None:
    return next((suffix for suffix in _MEMBERS if path.name.lower().endswith(suffix)), None)
