"""Reads the arrays of a checkpoint in a child process with limits."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.budget import MEMORY, Budget
from pose_onnx.child import call_limited
from pose_onnx.errors import ModelFileError
from pose_onnx.exporters.checkpoint import npz, pdparams, pth
from pose_onnx.exporters.checkpoint.matching import some
from pose_onnx.exporters.checkpoint.numbers import BrokenError, ForbiddenError, Parameters, UnfitError
from pose_onnx.exporters.checkpoint.values import Array, Tensor, shown

Readable = Array | Tensor | npz.Member | pdparams.Slices

READERS: Final[Mapping[str, Callable[[Path, Budget], dict[str, object]]]] = MappingProxyType(
    {".pdparams": pdparams.read, ".npz": npz.read, ".pth": pth.read, ".pt": pth.read}
)
"""By the end of the file's name."""
_TASK: Final = f"{__name__}:write_arrays"
_NUMBER: Final = np.dtype("<f4")


def read_checkpoint(path: Path) -> Parameters:
    """Read the parameters of a checkpoint, in a child process with limited memory and time.

    Args:
        path: `.pdparams` (paddle.save), `.pth` or `.pt` (torch.save), or `.npz` with the same names.

    Returns:
        float32 arrays by parameter name.

    Raises:
        ModelFileError: the file is missing, empty, broken, of another kind, asks for code to be run or for
            too much memory, or takes too long.
    """
    subject = f"checkpoint {str(path)!r}"
    if path.suffix.lower() not in READERS:
        raise ModelFileError(
            f"{str(path)!r} is not a checkpoint; give a file whose name ends in one of {[*READERS]}"
        )
    try:
        if not path.is_file():
            raise ModelFileError(f"{subject} does not exist, or is not a file; give the path of a checkpoint")
        size = path.stat().st_size
        if not size:
            raise ModelFileError(f"{subject} is empty; download it again")
        with tempfile.TemporaryDirectory(prefix="pose-onnx-") as folder:
            target = Path(folder, "arrays")
            arguments = {"path": str(path), "target": str(target)}
            # The child maps the file: this counts towards the limit although it takes no memory.
            index = call_limited(_TASK, arguments, subject=subject, memory=MEMORY + size)
            return dict(_arrays_in(target, index))
    except OSError as error:
        raise ModelFileError(f"{subject} cannot be read ({error.strerror or error})") from error


def write_arrays(path: str, target: str) -> list[tuple[str, tuple[int, ...]]]:
    """Write the arrays of a checkpoint one after another, in the child.

    Returns:
        Name and shape of each array.

    Raises:
        ModelFileError: as `read_checkpoint`.
    """
    index = []
    with Path(target).open("wb") as file:
        for name, array in arrays_of(Path(path)):
            file.write(array.astype(_NUMBER, copy=False).data)
            index.append((name, array.shape))
    return index


def _arrays_in(target: Path, index: list[tuple[str, list[int]]]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    with target.open("rb") as file:
        for name, shape in index:
            yield name, np.fromfile(file, _NUMBER, math.prod(shape)).reshape(shape)


def arrays_of(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Read the arrays of a checkpoint one by one, in this process.

    Raises:
        ModelFileError: as `read_checkpoint`.
    """
    subject = f"checkpoint {str(path)!r}"
    budget = Budget(subject)
    try:
        for name, value in _readable(READERS[path.suffix.lower()](path, budget)).items():
            yield name, value.floats(budget)
    except ForbiddenError as error:
        raise ModelFileError(
            f"{subject} asks to load {error}, but weights only need arrays, so nothing was run; save only "
            "the state_dict(), or do not trust its source"
        ) from error
    except UnfitError as error:
        raise ModelFileError(f"{subject} {error}") from error
    except BrokenError as error:
        raise ModelFileError(
            f"{subject} is damaged, or not a {path.suffix} file ({error}); download it again"
        ) from error


def _readable(named: Mapping[str, object]) -> dict[str, Readable]:
    found = {name: value for name, value in named.items() if isinstance(value, Readable)}
    if strange := [shown(name) for name in named if name not in found]:
        raise UnfitError(
            f"contains things other than numeric arrays: {some(strange)}; give the weights of one network, "
            "as paddle.save or torch.save write its state_dict()"
        )
    return found
