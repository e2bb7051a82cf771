"""Checks model files: each is read once, without any engine, before an engine may open it."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pose_onnx.errors import ModelFileError
from pose_onnx.runtimes._checks import check_model_file
from pose_onnx.runtimes._flatbuffer import Content
from pose_onnx.runtimes._model_facts import ModelFacts
from pose_onnx.runtimes._onnx_file import read_onnx
from pose_onnx.runtimes._tflite_file import read_tflite

_READERS: Final[Mapping[str, Callable[[Content], ModelFacts]]] = MappingProxyType(
    {".onnx": read_onnx, ".tflite": read_tflite}
)
SUFFIXES: Final = tuple(_READERS)
"""Suffixes of the files that can be read."""


def admit(path: Path, suffix: str) -> ModelFacts:
    """Refuse a model file that is broken, contradicts itself or asks for too much memory.

    Args:
        path: The file.
        suffix: Its format, one of `SUFFIXES`.

    Returns:
        The facts that the file declares.

    Raises:
        ModelFileError: The file is refused; one sentence says why.
    """
    check_model_file(path)
    state = path.stat()
    return _read(path.absolute(), suffix, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=16)
def _read(path: Path, suffix: str, _state: tuple[int, ...]) -> ModelFacts:
    """Read a file once per state of the file: reading its card and opening its engine both need this."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            return _READERS[suffix](content)
        except (ValueError, struct.error, RecursionError) as error:
            raise ModelFileError(
                f"{str(path)!r} is damaged, or not a {suffix} model ({error}); export or download it again"
            ) from error
