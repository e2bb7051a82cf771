"""The result folder: Parquet files, written atomically, which also record the finished items.

A part is one such file and the items in it. Its name is derived from its items, so a worker that repeats the
work of a dead worker overwrites its file, and no row appears twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from pose_onnx.addresses import redacted, redacted_in
from pose_onnx.errors import InputError, OutputError
from pose_onnx.ray._engine import pafs, pq
from pose_onnx.ray._places import Place, find_place, is_video
from pose_onnx.ray._table import SCHEMA

SETTINGS_KEY: Final = b"pose_onnx"
"""Where each file's Parquet metadata holds the settings of the job, as JSON."""

_PREFIX: Final = "part-"
_SUFFIX: Final = ".parquet"
_UNFINISHED: Final = ".unfinished"
_DIGITS: Final = 32  # 128 bits of SHA-256: no two sets of items share a name
_READERS: Final = 16  # reading a file of an object store takes tens of milliseconds, mostly waiting


@dataclass(frozen=True, slots=True)
class Part:
    """The items that go into one file, and its name."""

    name: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """What is in a part: its items, the people in them, and how many items failed.

    A person in a video counts once, regardless of the number of frames.
    """

    items: int
    people: int
    failed: int


def make_parts(paths: Sequence[str], most: int) -> list[Part]:
    """Divide items into parts: each video alone, pictures in groups up to a maximum size."""
    pictures = [path for path in paths if not is_video(path)]
    groups = chain(
        ((path,) for path in paths if is_video(path)),
        (tuple(pictures[start : start + most]) for start in range(0, len(pictures), most)),
    )
    return [Part(_name(group), group) for group in groups]


def _name(paths: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join(paths).encode()).hexdigest()
    return f"{_PREFIX}{digest[:_DIGITS]}{_SUFFIX}"


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """The folder where parts are written.

    Attributes:
        address: Address of the folder, valid for every worker.
        settings: Settings of the results; a folder holds results of one kind.
    """

    address: str
    settings: Mapping[str, Any]

    def prepare(self) -> dict[str, bool]:
        """Create the folder, delete incomplete files of killed workers, and read the finished items.

        Returns:
            The finished items, each with whether it failed.

        Raises:
            InputError: The folder has results of other settings, or a file that cannot be read.
            OutputError: It cannot be created or written.
        """
        self._try_to_write()
        found: dict[str, bool] = {}
        with ThreadPoolExecutor(_READERS) as pool:
            for _, items in pool.map(self._read, self._names()):
                found |= items
        return found

    def forget(self, paths: Collection[str]) -> None:
        """Remove the rows of items, so that they count as not done."""
        for name, items in map(self._read, self._names()):
            kept = [path for path in items if path not in paths]
            place = find_place(self.address).child(name)
            if not kept:
                place.files.delete_file(place.path)
            elif len(kept) < len(items):
                table = pq.read_table(place.path, filesystem=place.files, filters=[("path", "in", kept)])
                self.write(name, [table])

    def write(self, name: str, tables: Iterable[Any]) -> Counts:
        """Write a part under another name, table by table, then rename it.

        Raises:
            OutputError: It cannot be written; nothing is left behind.
        """
        schema = SCHEMA.with_metadata({SETTINGS_KEY: json.dumps(dict(self.settings))})
        folder = find_place(self.address)
        draft, target = folder.child(f".{name}.{secrets.token_hex(4)}{_UNFINISHED}"), folder.child(name)
        paths: dict[str, bool] = {}
        people = Counter[Any]()
        try:
            with (
                folder.files.open_output_stream(draft.path) as sink,
                pq.ParquetWriter(sink, schema, compression="zstd") as writer,
            ):
                for table in tables:
                    writer.write_table(table.cast(schema))
                    people.update(table["people"].combine_chunks().flatten().field("id").to_pylist())
                    paths |= _items(table)
            folder.files.move(draft.path, target.path)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            with contextlib.suppress(OSError):
                folder.files.delete_file(draft.path)
        # People with an id are in a video, and a video is alone in its part.
        count = people.pop(None, 0) + len(people)
        return Counts(len(paths), count, sum(paths.values()))

    @contextmanager
    def attempt(self, name: str, most: int) -> Iterator[bool]:
        """Mark a part as begun until it is done or has failed; a worker that dies leaves its mark.

        Args:
            name: Name of the part.
            most: With this many marks, the part is not begun again.

        Raises:
            OutputError: The mark cannot be written.
        """
        folder = find_place(self.address)
        marks = [folder.child(f".{name}.{number}{_UNFINISHED}").path for number in range(most)]
        try:
            infos = folder.files.get_file_info(marks)
            free = next((info.path for info in infos if info.type == pafs.FileType.NotFound), None)
            if free is not None:
                with folder.files.open_output_stream(free):
                    pass
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield free is not None
        finally:
            for path in marks if free is None else marks[: marks.index(free) + 1]:
                with contextlib.suppress(OSError):
                    folder.files.delete_file(path)

    def tidy(self) -> None:
        """Delete incomplete files of killed workers.

        Raises:
            OutputError: It cannot be deleted.
        """
        folder = find_place(self.address)
        try:
            for info in folder.files.get_file_info(pafs.FileSelector(folder.path)):
                if info.base_name.startswith(f".{_PREFIX}") and info.base_name.endswith(_UNFINISHED):
                    folder.files.delete_file(info.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _try_to_write(self) -> None:
        folder = find_place(self.address)
        probe = folder.child(f".{_PREFIX}{secrets.token_hex(4)}{_UNFINISHED}")
        try:
            folder.files.create_dir(folder.path, recursive=True)
            with folder.files.open_output_stream(probe.path):
                pass
        except (OSError, NotImplementedError) as error:  # the latter: from read-only file systems
            raise self._unwritable(error) from error
        self.tidy()

    def _names(self) -> list[str]:
        folder = find_place(self.address)
        infos = folder.files.get_file_info(pafs.FileSelector(folder.path))
        names = (info.base_name for info in infos)
        return sorted(name for name in names if name.startswith(_PREFIX) and name.endswith(_SUFFIX))

    def _read(self, name: str) -> tuple[str, dict[str, bool]]:
        place: Place = find_place(self.address).child(name)
        try:
            with place.files.open_input_file(place.path) as source, pq.ParquetFile(source) as file:
                settings = json.loads(file.schema_arrow.metadata[SETTINGS_KEY])
                items = _items(file.read(columns=["path", "error"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{redacted(place.address)!r} is not a complete file of such results ({error}); move it "
                "away, or choose another folder"
            ) from error
        if settings != self.settings:
            changed = {key for key, _ in set(_pairs(settings)) ^ set(_pairs(self.settings))}
            raise InputError(
                f"{redacted(self.address)!r} has results with another {', '.join(sorted(changed))}; choose "
                "another folder, or give the same options"
            )
        return name, items

    def _unwritable(self, error: Exception) -> OutputError:
        reason = redacted_in(str(error), self.address)
        return OutputError(f"{redacted(self.address)!r} cannot be written ({reason}); choose another folder")


def _items(table: Any) -> dict[str, bool]:
    """Return the items of a table, each with whether it failed."""
    groups = table.select(["path", "error"]).group_by("path").aggregate([("error", "count")])
    counts = zip(groups["path"].to_pylist(), groups["error_count"].to_pylist(), strict=True)
    return {path: errors > 0 for path, errors in counts}


def _pairs(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, json.dumps(value)) for key, value in settings.items()]
