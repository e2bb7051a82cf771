"""Sorts the inputs of `pose-onnx run` into pictures and videos; the first matching kind is used."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from pose_onnx.addresses import redacted
from pose_onnx.budget import MEMORY
from pose_onnx.cli._fetch import begins_as_picture, fetch
from pose_onnx.core.arrays import Image
from pose_onnx.core.picture_sizes import LONGEST_START, is_picture
from pose_onnx.errors import InputError
from pose_onnx.folders import Skipped, chosen, kind_of, list_files
from pose_onnx.image_files import decode_image, load_image

_STDIN: Final = "-"
_HTTP: Final = re.compile(r"https?://", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Attributes:
        name: Its name in results.
        file: Its path if it is on this machine; the annotated copy is named after it.
        load: Returns its pixels, (H, W, 3) uint8, BGR, or raises an error.
    """

    name: str
    file: Path
    load: Callable[[], Image]


@dataclass(frozen=True, slots=True)
class Moving:
    """A video, a camera or a stream.

    Attributes:
        name: Its name in results.
        file: The file name that its outputs are named after.
        source: The source for `pose-onnx video`.
        live: Whether it may never end.
    """

    name: str
    file: Path
    source: str
    live: bool = False


@dataclass(slots=True)
class Sources:
    """The inputs of a command line, each once, in the order given.

    Attributes:
        recursive: A folder includes its subfolders.
        skipped: Files in the folders that are not processed.
        pictures: The pictures.
        moving: Videos, cameras and streams; those that may never end come last.
    """

    recursive: bool = False
    skipped: Skipped = field(default_factory=Skipped)
    pictures: list[Picture] = field(default_factory=list)
    moving: list[Moving] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def files(self) -> list[Path]:
        """What results are named after."""
        return [picture.file for picture in self.pictures] + [moving.file for moving in self.moving]

    @classmethod
    def find(cls, words: Iterable[str], stack: ExitStack, *, recursive: bool = False) -> Sources:
        """Interpret the words of a command line.

        A file is taken even if it does not exist: reading it reports the error.

        Args:
            words: Of the command line.
            stack: When it is closed, temporary copies are deleted.
            recursive: See the attribute.

        Raises:
            InputError: A folder or pattern is empty, an address is invalid, or there is no standard input.
        """
        sources = cls(recursive, _stack=stack)
        for word in words:
            next(add for fits, add in _KINDS if fits(word))(sources, word)
        sources.moving.sort(key=lambda moving: moving.live)
        return sources

    def add(self, source: Picture | Moving, key: str) -> None:
        """Add an input, unless it is already listed."""
        if key in self._known:
            return
        self._known.add(key)
        if isinstance(source, Picture):
            self.pictures.append(source)
        else:
            self.moving.append(source)

    def add_file(self, word: str | Path) -> None:
        """Take a file: a video by its suffix, else a picture."""
        path = Path(word)
        name = str(path)
        is_video = kind_of(path.name) == "video"
        source = Moving(name, path, name) if is_video else Picture(name, path, partial(_load_file, path))
        self.add(source, os.path.realpath(path))

    def add_folder(self, word: str) -> None:
        """Take the pictures and videos of a folder."""
        here = Skipped()
        names = list_files(Path(word), here, recursive=self.recursive)
        found = list(chosen(names, here))
        if not found:
            raise InputError(
                f"the folder {word!r} contains no pictures or videos, but {here or 'nothing'}; give another"
            )
        self.skipped.add(here)
        for name in found:
            self.add_file(Path(word) / name)

    def add_pattern(self, word: str) -> None:
        """Take the files that a pattern matches, with any suffix."""
        names = glob(word, recursive=True)  # noqa: PTH207 (Path.glob refuses absolute patterns)
        found = sorted(path for path in map(Path, names) if path.is_file())
        if not found:
            raise InputError(f"the pattern {word!r} matches no file; give one such as 'photos/*.jpg'")
        for path in found:
            self.add_file(path)

    def add_camera(self, word: str) -> None:
        """Take a camera by its number."""
        self.add(Moving(f"camera {int(word)}", Path(f"camera{int(word)}"), word, live=True), f"camera:{word}")

    def add_stream(self, word: str) -> None:
        """Take an address that FFmpeg opens."""
        live = _HTTP.match(word) is None
        self.add(Moving(redacted(word), _file_of(word), word, live), word)

    def add_http(self, word: str) -> None:
        """Take a picture or a video on a server: by the suffix, else by its first bytes."""
        kind = kind_of(_file_of(word).name)
        if kind == "video" or (kind == "other" and not begins_as_picture(word)):
            self.add_stream(word)
        else:
            self.add(Picture(redacted(word), _file_of(word), partial(_load_address, word)), word)

    def add_stdin(self, word: str) -> None:
        """Take the bytes of a picture or a video from standard input."""
        stdin = sys.stdin.buffer
        if stdin.isatty():
            raise InputError("- means standard input; pipe a picture or a video in, or give its path")
        if word in self._known:
            return
        head = stdin.read(LONGEST_START)
        if is_picture(head):
            data = head + stdin.read(MEMORY + 1)
            self.add(Picture(word, Path("stdin"), partial(_load_bytes, data)), word)
        else:
            self.add(Moving(word, Path("stdin"), str(self._spooled(head, stdin))), word)

    def _spooled(self, head: bytes, rest: BinaryIO) -> Path:
        """Copy a video into a temporary file: with the index at its end, it cannot be read from a pipe."""
        if not head:
            raise InputError("standard input is empty; pipe a picture or a video in")
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pose-onnx-"))
        path = Path(folder) / "stdin"
        with path.open("wb") as file:
            file.write(head)
            shutil.copyfileobj(rest, file)
        return path


_KINDS: Final[tuple[tuple[Callable[[str], object], Callable[[Sources, str], None]], ...]] = (
    (lambda word: word == _STDIN, Sources.add_stdin),
    (os.path.isdir, Sources.add_folder),
    (os.path.exists, Sources.add_file),
    (str.isdecimal, Sources.add_camera),
    (_HTTP.match, Sources.add_http),
    (_ADDRESS.match, Sources.add_stream),
    (has_magic, Sources.add_pattern),
    (lambda _: True, Sources.add_file),
)
"""For each kind: which words match it, and what is done with them."""


def _file_of(address: str) -> Path:
    """Return a file name for what is at an address."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError as error:
        raise InputError(f"{redacted(address)!r} is not a valid address ({error}); check it") from error
    return Path(PurePosixPath(unquote(parts.path)).name.replace("\0", "") or host or "stream")


def _load_file(path: Path) -> Image:
    return load_image(path)  # looked up now, when it may be timed


def _load_address(address: str) -> Image:
    return _load_bytes(fetch(address), redacted(address))


def _load_bytes(data: bytes, name: str = "standard input") -> Image:
    if len(data) > MEMORY:
        raise InputError(f"{name!r} has more than {MEMORY:,} bytes, the limit for pictures; make it smaller")
    return decode_image(data, name)
