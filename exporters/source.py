"""The source of an export: a training checkpoint, or a Paddle inference folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from pose_onnx.errors import InputError, ModelFileError
from pose_onnx.exporters.checkpoint import Parameters, read_checkpoint
from pose_onnx.exporters.infer_cfg import InferConfig, read_infer_cfg
from pose_onnx.files import sha256_of
from pose_onnx.runtimes._paddle_folder import find_files

GIVEN: Final = "given: the file has the SHA-256 that was given"
FIRST_USE: Final = "first use: no SHA-256 was given to compare with"
"""Why a source is believed to be what its name says."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a receipt says of a source.

    Attributes:
        files: All files that were read.
        trust: Why they are believed to be the right ones.
    """

    files: tuple[Path, ...]
    trust: str


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Weights of a network that this package defines."""

    file: Path
    parameters: Parameters
    trust: str = FIRST_USE

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that were read."""
        return (self.file,)

    @property
    def origin(self) -> Origin:
        """What a receipt says of it."""
        return Origin(self.files, self.trust)


@dataclass(frozen=True, slots=True)
class Folder:
    """A program with its weights, as Paddle saves them for inference."""

    program: Path
    params: Path
    config: InferConfig | None
    trust: str = FIRST_USE

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that were read."""
        return self.program, self.params

    @property
    def origin(self) -> Origin:
        """What a receipt says of it."""
        return Origin(self.files, self.trust)


Source: TypeAlias = Checkpoint | Folder


def read_source(path: Path, sha256: str | None = None) -> Source:
    """Read a checkpoint file or find the files of an inference folder.

    Args:
        path: the file or folder.
        sha256: expected digest of a checkpoint, in hexadecimal.

    Raises:
        ModelFileError: there is no such file or folder, it is broken, or has a different digest.
        InputError: the digest is not valid, or was given for a folder.
    """
    if not path.exists():
        raise ModelFileError(
            f"{str(path)!r} does not exist; give a .pdparams or .npz file, or a Paddle folder"
        )
    if sha256 is not None:
        _demand_digest(path, sha256)
    if path.is_dir():
        return _read_folder(path)
    return Checkpoint(path, read_checkpoint(path), FIRST_USE if sha256 is None else GIVEN)


def _demand_digest(path: Path, sha256: str) -> None:
    if not re.fullmatch("[0-9A-Fa-f]{64}", sha256):
        raise InputError(f"{sha256!r} is not a SHA-256; give its 64 hexadecimal digits")
    if not path.is_file():
        raise InputError(
            f"a SHA-256 was given, but {str(path)!r} is not a file; give a checkpoint, or no SHA-256"
        )
    if (found := sha256_of(path)) != sha256.lower():
        raise ModelFileError(
            f"{str(path)!r} has SHA-256 {found}, but {sha256.lower()} was given, so it is another file; "
            "get it again"
        )


def _read_folder(folder: Path) -> Folder:
    program, params = find_files(folder)
    return Folder(program, params, read_infer_cfg(folder))


def digests(files: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of each file, by file name."""
    return {file.name: sha256_of(file) for file in files}
