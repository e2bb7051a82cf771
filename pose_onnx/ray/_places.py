"""Files and folders by address: local, or anything that Arrow (s3, gs, ...) or fsspec (http, ...) reaches.

Credentials and endpoints come from the environment of each machine, never from an address: addresses are
written into the results.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from pose_onnx.addresses import redacted, redacted_in
from pose_onnx.errors import DependencyError, InputError
from pose_onnx.folders import Skipped, chosen, kind_of, list_files
from pose_onnx.ray._engine import fsspec, pafs

_ARROW_SCHEMES: Final = frozenset({"abfs", "abfss", "gcs", "gs", "hdfs", "s3", "viewfs"})
"""Arrow has its own clients for these; every other scheme is left to fsspec."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder, which may not exist.

    Attributes:
        files: Its Arrow file system.
        path: Its path in that file system.
        prefix: The part of the address before the path; empty for local paths.
    """

    files: Any
    path: str
    prefix: str

    @property
    def address(self) -> str:
        """Its address, valid on every machine that reaches it; always Unicode, like Arrow's strings."""
        try:
            self.path.encode()
        except UnicodeEncodeError:  # a file name of other bytes, which Python spells with lone surrogates
            return f"file://{quote(os.fsencode(self.path))}"
        return self.prefix + self.path

    @property
    def local(self) -> Path | None:
        """The same place for Python, if it is on this machine."""
        return Path(self.path) if isinstance(self.files, pafs.LocalFileSystem) else None

    def child(self, name: str) -> Place:
        """Return a place in this folder."""
        return replace(self, path=f"{self.path.rstrip('/')}/{name}")


def find_place(address: str) -> Place:
    """Return the place of an address. Nothing is opened, and the place need not exist.

    Raises:
        InputError: The address holds a password, or its scheme is unknown.
        DependencyError: fsspec needs a package for its scheme.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        # Not Path.resolve: a link has the same name on every machine, but its target may differ.
        return Place(_local_files(), os.path.abspath(address), "")  # noqa: PTH100
    if urlsplit(address).password is not None:
        raise InputError(
            f"the address of {urlsplit(address).hostname!r} contains a password, which would be written "
            "into the results; give the credentials in the environment of every worker instead"
        )
    try:
        if scheme == "file":
            return Place(_local_files(), _path_of_uri(address), "")
        if scheme in _ARROW_SCHEMES:
            host, _, inside = rest.partition("/")
            root = _arrow_root(f"{scheme}://{host}")
            return root.child(inside.rstrip("/")) if inside else root
        files, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise DependencyError(
            f"{redacted(address)!r} needs a package that is not installed ({error}); install it on every"
            " worker"
        ) from error
    except (OSError, ValueError) as error:
        raise _unusable(address, f"used ({error})", "give a path or an address") from error
    prefix = files.unstrip_protocol(path).removesuffix(path)
    return Place(pafs.PyFileSystem(pafs.FSSpecHandler(files)), path, prefix)


def _unusable(address: str, trouble: str, hint: str) -> InputError:
    """Say what cannot be done with an address; the error of another library may contain it again."""
    return InputError(f"{redacted(address)!r} cannot be {redacted_in(trouble, address)}; {hint}")


def _path_of_uri(address: str) -> str:
    try:
        path: str = pafs.FileSystem.from_uri(address)[1]
    except UnicodeDecodeError:  # see Place.address
        return os.fsdecode(unquote_to_bytes(urlsplit(address).path))
    return path


@lru_cache
def _local_files() -> Any:
    return pafs.LocalFileSystem()


@lru_cache  # connecting to a bucket looks up its region, which is slow
def _arrow_root(root: str) -> Place:
    files, base = pafs.FileSystem.from_uri(root + "/")
    return Place(files, base, root.removesuffix(base.rstrip("/")))


def find_items(
    addresses: Iterable[str], skipped: Skipped | None = None, *, recursive: bool = False
) -> list[str]:
    """Return the addresses of all pictures and videos in the given files and folders, each once, in order.

    A file is taken as it is. A folder stands for its pictures and videos, sorted. Hidden files are ignored.

    Args:
        addresses: Addresses of files and folders.
        skipped: Counts files in the folders that are neither.
        recursive: A folder includes its subfolders.

    Raises:
        InputError: A file or folder does not exist, or a folder has no pictures or videos.
    """
    counts = Skipped() if skipped is None else skipped
    found = (item for address in addresses for item in _expand(address, counts, recursive=recursive))
    return list(dict.fromkeys(found))


def _expand(address: str, skipped: Skipped, *, recursive: bool) -> list[str]:
    place, here = find_place(address), Skipped()
    try:
        exists = _exists(place)
        names = _names_in(place, here, recursive=recursive) if exists else None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise _unusable(address, f"listed ({error})", "give a readable folder") from error
    if not exists:
        raise InputError(f"{redacted(address)!r} does not exist; give pictures, videos or folders of them")
    if names is None:
        return [place.address]
    found = [place.child(name).address for name in chosen(names, here)]
    if not found:
        raise InputError(
            f"the folder {redacted(address)!r} contains no pictures or videos, but {here or 'nothing'}; "
            "give another"
        )
    skipped.add(here)
    return found


def _names_in(place: Place, skipped: Skipped, *, recursive: bool) -> list[str] | None:
    """Return the paths of all files in a folder, relative to it, sorted; `None` for a file."""
    if place.local:  # not Arrow, which gives up at the first file name that is not Unicode
        return list_files(place.local, skipped, recursive=recursive) if place.local.is_dir() else None
    if place.files.get_file_info(place.path).type != pafs.FileType.Directory:
        return None
    below = place.files.get_file_info(pafs.FileSelector(place.path, recursive=recursive))
    folders = [info for info in below if info.type == pafs.FileType.Directory]
    paths = (info.path for info in below if info.type != pafs.FileType.Directory)
    if not recursive:
        skipped.counts["subfolder"] += sum(not info.base_name.startswith(".") for info in folders)
    return sorted(path.removeprefix(place.path).lstrip("/") for path in paths)


def _exists(place: Place) -> bool:
    if place.local:
        return place.local.exists()
    return bool(place.files.get_file_info(place.path).type != pafs.FileType.NotFound)


def is_video(address: str) -> bool:
    """Return whether an item is a video, by its suffix."""
    return kind_of(address) == "video"


def read_bytes(address: str) -> bytes:
    """Return a file's content.

    Raises:
        InputError: It is missing or cannot be read.
    """
    place = find_place(address)
    try:
        if place.local:
            return place.local.read_bytes()
        with place.files.open_input_stream(place.path, compression=None) as stream:
            data: bytes = stream.read()
    except OSError as error:
        raise _unusable(address, f"read ({error})", "give a readable file") from error
    return data


@contextmanager
def local_copy(address: str) -> Iterator[Path]:
    """Yield a local path to a file's content: its own path, or a copy that is deleted afterwards.

    Raises:
        InputError: It is missing or cannot be read.
    """
    place = find_place(address)
    if place.local:
        yield place.local
        return
    with tempfile.TemporaryDirectory(prefix="pose-onnx-") as folder:
        copy = Path(folder) / f"copy{PurePosixPath(place.path).suffix}"
        try:
            with place.files.open_input_stream(place.path, compression=None) as source, copy.open("wb") as to:
                shutil.copyfileobj(source, to)
        except OSError as error:
            raise _unusable(address, f"fetched ({error})", "give a readable file") from error
        yield copy
