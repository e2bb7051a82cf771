"""The bytes of a file, and of the members of a zip file, checked before they are read."""

from __future__ import annotations

import contextlib
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pose_onnx.budget import Budget
from pose_onnx.exporters.checkpoint.numbers import BrokenError

MAX_LIST: Final = 16 << 20
"""Bytes of a zip file's list of members. With its optimizer's state the largest network has 9,000: 1 MB."""
_CHUNK: Final = 1 << 20
# The errors that zipfile raises on bytes that are not a proper archive, or that it cannot unpack.
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    UnicodeError,
    ValueError,
)


def mapped(path: Path) -> mmap.mmap:
    """Map a file into memory, so that bytes are read when they are used. The file must not be empty."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class Archive:
    """A zip file whose members are read one by one.

    Attributes:
        names: names of its members.
    """

    def __init__(self, path: Path, budget: Budget) -> None:
        """Read its list of members.

        Raises:
            BrokenError: it is not a zip file, or has a member twice.
            ModelFileError: it asks for too much memory.
        """
        with _one_error():
            self._file = zipfile.ZipFile(_SmallReads(mapped(path)))
        self._budget = budget
        self._members = {member.filename: member for member in self._file.infolist()}
        if len(self._members) != len(self._file.infolist()):
            raise BrokenError("an archive with two members of the same name")
        self.names = tuple(self._members)

    def read(self, name: str) -> memoryview:
        """Return a member, unpacked.

        Raises:
            BrokenError: there is no member of this name, or it is damaged.
            ModelFileError: it asks for too much memory.
        """
        member = self._members.get(name)
        if member is None or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BrokenError("an archive without a required member")
        self._budget.take(member.file_size)
        content = bytearray()  # grows as bytes are unpacked: the stated size may be wrong
        with _one_error(), self._file.open(member) as file:
            while part := file.read(_CHUNK):  # zipfile never gives more than the member's size
                content += part
        if len(content) != member.file_size:
            raise BrokenError("an archive with a member that is shorter than declared")
        return memoryview(content)


class _SmallReads:
    """A file that gives `zipfile` at most `MAX_LIST` bytes per read: it reads the whole list of members."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._content.seek(offset, whence)  # type: ignore[arg-type]  # zipfile gives 0, 1 or 2
        return self._content.tell()

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._content.tell()

    def read(self, size: int = -1, /) -> bytes:
        left = len(self._content) - self._content.tell()
        wanted = left if size < 0 else min(size, left)
        if wanted > MAX_LIST:
            raise BrokenError("an archive with too many members")
        return self._content.read(wanted)


@contextlib.contextmanager
def _one_error() -> Iterator[None]:
    try:
        yield
    except BrokenError:
        raise
    except _BROKEN as error:
        raise BrokenError(f"a broken zip file ({type(error).__name__})") from error
