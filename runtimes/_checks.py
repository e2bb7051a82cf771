"""Checks that every adapter makes before it passes tensors to its engine."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from pathlib import Path
from typing import SupportsIndex

import numpy as np

from pose_onnx.errors import InputError, ModelFileError, RuntimeFeedError
from pose_onnx.runtimes._cores import default_threads
from pose_onnx.runtimes._protocol import Tensor, TensorSpec


def check_feeds(feeds: Mapping[str, Tensor], specs: tuple[TensorSpec, ...]) -> None:
    """Compare the fed tensors with the model's inputs.

    Raises:
        RuntimeFeedError: A name is missing or unknown, or a shape or dtype differs.
    """
    expected = [spec.name for spec in specs]
    if set(feeds) != set(expected):
        raise RuntimeFeedError(f"the model was fed {sorted(feeds)}; feed exactly {sorted(expected)}")
    for spec in specs:
        array = feeds[spec.name]
        if not isinstance(array, np.ndarray) or array.dtype != spec.dtype:
            given = getattr(array, "dtype", type(array).__name__)
            raise RuntimeFeedError(
                f"input {spec.name!r} is {given}; feed a NumPy array of {spec.dtype}, "
                f"for example x.astype({spec.dtype!r})"
            )
        fits = len(array.shape) == len(spec.shape) and all(
            want is None or want == have for want, have in zip(spec.shape, array.shape, strict=True)
        )
        if not fits or 0 in array.shape:
            wanted = ", ".join("N" if size is None else str(size) for size in spec.shape)
            raise RuntimeFeedError(
                f"input {spec.name!r} has shape {array.shape}; this model takes ({wanted}), N of 1 or more"
            )


def check_threads(threads: SupportsIndex | None) -> int:
    """Return a thread count as an `int`. NumPy integers are accepted; `None` means every core.

    Raises:
        InputError: `threads` is not a whole number of 1 or more.
    """
    return default_threads() if threads is None else check_count(threads, "threads")


def check_count(value: SupportsIndex, name: str) -> int:
    """Return a count as an `int`. NumPy integers are accepted.

    Raises:
        InputError: It is not a whole number of 1 or more.
    """
    try:
        count = 0 if isinstance(value, bool) else index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise InputError(f"{name}={value!r} was given; give a whole number of 1 or more")
    return count


def check_model_file(path: Path) -> None:
    """Refuse a path that cannot be a model file, before an engine opens it.

    Raises:
        ModelFileError: The path does not exist, is a directory or a pipe, cannot be read, or is empty.
    """
    if _is_endless(path):
        raise ModelFileError(f"{str(path)!r} is not a regular file; give the path of a model file")
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except IsADirectoryError as error:
        raise ModelFileError(f"{str(path)!r} is a directory; give the path of a model file") from error
    except FileNotFoundError as error:
        raise ModelFileError(f"model file {str(path)!r} does not exist; give the path of one") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise ModelFileError(f"model file {str(path)!r} cannot be read ({error}); give another") from error
    if is_empty:
        raise ModelFileError(f"model file {str(path)!r} is empty; export or download it again")


def _is_endless(path: Path) -> bool:
    """Say whether reading a path may never end; a path that cannot be looked up is not read at all."""
    try:
        return path.is_fifo() or path.is_char_device()
    except OSError:
        return False


def check_model_folder(path: Path) -> None:
    """Refuse a path that cannot be a model of several files.

    Raises:
        ModelFileError: The path does not exist, is a file, cannot be read, or is empty.
    """
    try:
        is_empty = next(path.iterdir(), None) is None
    except NotADirectoryError as error:
        raise ModelFileError(f"{str(path)!r} is a file; give the folder of a model") from error
    except FileNotFoundError as error:
        raise ModelFileError(f"model folder {str(path)!r} does not exist; give the path of one") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise ModelFileError(f"model folder {str(path)!r} cannot be read ({error}); give another") from error
    if is_empty:
        raise ModelFileError(f"model folder {str(path)!r} is empty; export or download it again")
