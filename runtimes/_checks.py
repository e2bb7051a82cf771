"""What every adapter checks before it hands tensors to its engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pose_onnx._errors import InputError, ModelFileError, RuntimeFeedError
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


def check_threads(threads: int) -> None:
    """Refuse a thread count that no engine could honour.

    Raises:
        InputError: `threads` is not a whole number of 1 or more.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise InputError(f"threads={threads!r} was given; give a whole number of 1 or more")


def check_model_file(path: Path) -> None:
    """Refuse what cannot be a model file before an engine sees it.

    Raises:
        ModelFileError: The path does not exist, is a directory, or is empty.
    """
    if not path.is_file():
        kind = "is a directory" if path.is_dir() else "does not exist"
        raise ModelFileError(f"model file {str(path)!r} {kind}; give the path of an exported model file")
    if path.stat().st_size == 0:
        raise ModelFileError(f"model file {str(path)!r} is empty; export or download it again")
