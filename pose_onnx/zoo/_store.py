"""A folder of models: `models.lock.json` pins the SHA-256 of every file that was put into it.

Readers take no lock, so the folder may be read-only: each file, including the table of pins, is written
completely and then renamed. Writers of one model wait for each other, and so do writers of the table.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from pose_onnx.errors import ModelFileError, OutputError
from pose_onnx.files import atomic_write_bytes, cannot_write, make_folder, sha256_of

log = logging.getLogger(__name__)

PINS: Final = "models.lock.json"
DOWNLOADS: Final = "downloads"
_LOCKS: Final = ".locks"
_VERSION: Final = 1
"""Version of the table's format."""

Pins = dict[str, dict[str, str]]
"""Model -> path relative to the folder, with slashes -> SHA-256 in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of models; it is created when the first file is stored.

    Attributes:
        home: the folder.
    """

    home: Path

    def pins(self) -> Pins:
        """Return the pinned digests.

        Raises:
            ModelFileError: The table is broken, or names a file outside the folder.
        """
        return self._read()[0]

    def trusted(self, model: str) -> str:
        """Return the SHA-256 of the download that a model was first made from; empty if none was.

        It is kept when the model is removed: a later download must be the same.

        Raises:
            ModelFileError: As in `pins`.
        """
        return self._read()[1].get(model, "")

    def _read(self) -> tuple[Pins, dict[str, str]]:
        path = self.home / PINS
        try:
            table = json.loads(path.read_bytes())
            models: Pins = table["models"]
            trusted: dict[str, str] = table.get("trusted", {})
            names = [name for files in models.values() for name in files]
            digests = [*trusted.values(), *(each for files in models.values() for each in files.values())]
            known = table["version"] == _VERSION and all(map(_is_inside, names))
            known = known and all(isinstance(digest, str) for digest in digests)
        except FileNotFoundError:
            return {}, {}
        except OSError as error:
            raise ModelFileError(f"{str(path)!r} cannot be read ({error.strerror})") from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            known = False
        if not known:
            raise ModelFileError(
                f"{str(path)!r} is not a table of pinned models of version {_VERSION}; move it away, and "
                "pull or add the models again"
            )
        return models, trusted

    def path(self, name: str) -> Path:
        """Return where a file of the folder is; `name` is relative, as in the pins."""
        return self.home / name

    def holds(self, model: str, names: Sequence[str]) -> bool:
        """Return whether all these files of a model are present, pinned and unchanged.

        Raises:
            ModelFileError: A file is present but differs from its pinned digest.
        """
        pins = self.pins().get(model, {})
        here = [name for name in names if name in pins and self.path(name).is_file()]
        for name in here:
            self.demand_pinned(model, name, pins[name])
        return len(here) == len(names)

    def demand_pinned(self, model: str, name: str, sha256: str) -> None:
        """Check a file against its digest.

        Raises:
            ModelFileError: It differs.
        """
        if (found := sha256_of(self.path(name))) != sha256:
            raise ModelFileError(
                f"{str(self.path(name))!r} has SHA-256 {found}, but {sha256} was recorded, so the file was "
                f"changed; run pose-onnx models remove {model}, and then pull or add it again"
            )

    @contextlib.contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Lock out other processes (and threads) that write the same; wait until they are done.

        Raises:
            OutputError: The folder cannot be written.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 (only writers need it)

        lock = FileLock(make_folder(self.home / _LOCKS) / f"{what}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.warning("waiting for another process that writes %s in %s", what, self.home)
            lock.acquire()
        except OSError as error:
            raise OutputError(
                f"{lock.lock_file!r} cannot be locked ({error.strerror}); choose a writable folder"
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def workspace(self, model: str) -> Iterator[Path]:
        """Make a temporary folder on the same disk; it is always deleted. Needs the model's lock."""
        make_folder(self.home)
        prefix = f".work.{model}."  # a name has no dot, so no other model's folder starts like this
        for left in self.home.glob(f"{prefix}*"):  # left by a killed process: we hold its lock
            shutil.rmtree(left, ignore_errors=True)
        try:
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self.home))
        except OSError as error:
            raise OutputError(
                f"{str(self.home)!r} cannot be written ({error.strerror}); choose a writable folder"
            ) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def put(self, model: str, files: Mapping[str, Path], *, trust: str = "") -> tuple[Path, ...]:
        """Move finished files into the folder; all are on disk before any is pinned.

        Args:
            model: name of the model.
            files: the files by their new names; a file already in its place is only pinned.
            trust: name of the file that was downloaded; later downloads must be the same.

        Raises:
            ModelFileError: A name belongs to another model.
            OutputError: The folder cannot be written.
        """
        digests = {name: sha256_of(file) for name, file in files.items()}
        with self.locked(PINS):
            pins, trusted = self._read()
            for other, owned in pins.items():
                if other != model and (taken := sorted(owned.keys() & files.keys())):
                    raise ModelFileError(
                        f"{taken} in {str(self.home)!r} belong to the model {other!r}; choose another name"
                    )
            for name, file in files.items():
                publish(file, self.path(name))
            pins[model] = pins.get(model, {}) | digests
            self._write(pins, trusted | ({model: digests[trust]} if trust else {}))
        return tuple(map(self.path, files))

    def forget(self, model: str) -> None:
        """Drop the pins of a model."""
        with self.locked(PINS):
            pins, trusted = self._read()
            pins.pop(model, None)
            self._write(pins, trusted)

    def _write(self, pins: Pins, trusted: Mapping[str, str]) -> None:
        table = {
            "version": _VERSION,
            "models": {model: pins[model] for model in sorted(pins)},
            "trusted": dict(sorted(trusted.items())),
        }
        atomic_write_bytes(self.home / PINS, (json.dumps(table, indent=1) + "\n").encode())


def publish(file: Path, target: Path) -> None:
    """Flush a finished file to disk, then rename it.

    Raises:
        OutputError: The folder cannot be written.
    """
    make_folder(target.parent)
    try:
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
        file.replace(target)
    except OSError as error:
        raise OutputError(cannot_write(target, error)) from error


def _is_inside(name: str) -> bool:
    """Return whether a name in the table can only refer to a file inside the folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and not {"..", ""} & {*path.parts} and "\\" not in name
