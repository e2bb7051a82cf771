"""`.pdparams`: the files that `paddle.save(layer.state_dict(), ...)` writes, in every version of Paddle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.budget import Budget
from pose_onnx.exporters.checkpoint.contents import mapped
from pose_onnx.exporters.checkpoint.machine import Machine
from pose_onnx.exporters.checkpoint.numbers import UnfitError, checked_sizes
from pose_onnx.exporters.checkpoint.values import Array, Table, shown

NAME_TABLE: Final = "StructuredToParameterName@@"
"""Entry in which paddle.save stores its own names of the parameters; it is not a parameter."""
SLICE_TABLE: Final = "UnpackBigParamInfor@@"
"""Entry in which paddle.save lists arrays that it cut into slices (over 1 GiB, pickle protocol 2 and 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """An array that paddle.save cut into slices."""

    name: str
    parts: tuple[Array, ...]
    shape: object

    def floats(self, budget: Budget) -> NDArray[np.float32]:
        """Return its numbers, in one piece; errors as in `numbers.floats`."""
        found = [part.floats(budget).reshape(-1) for part in self.parts]
        size, shape = sum(part.size for part in found), checked_sizes(self.shape)
        if size != math.prod(shape):
            raise UnfitError(
                f"lists big parameters whose slices do not fit ({shown(self.name)!r}: {size:,} numbers for "
                f"the shape {shape}); save it again"
            )
        budget.take(sum(part.nbytes for part in found))
        return np.concatenate(found).reshape(shape)


def read(path: Path, budget: Budget) -> dict[str, object]:
    """Return descriptions of arrays by name, and all other values in the file.

    Raises:
        BrokenError: it is not such a file; the subclasses `ForbiddenError` and `UnfitError` say why.
        ModelFileError: it asks for too much memory.
    """
    state = Machine(mapped(path), budget).run()
    if not isinstance(state, Table):
        raise UnfitError(
            f"holds a {type(state).__name__}, not a dict of arrays by name;"
            " save it with paddle.save(layer.state_dict(), ...)"
        )
    named = {name: _array_of(value) for name, value in state.named().items() if name != NAME_TABLE}
    return _joined(named, named.pop(SLICE_TABLE)) if SLICE_TABLE in named else named


def _array_of(value: object) -> object:
    """Take the array out of one of Paddle's (name, array) pairs."""
    if isinstance(value, tuple) and len(value) == len(("name", "array")) and isinstance(value[0], str):
        return value[1]
    return value


def _joined(named: dict[str, object], table: object) -> dict[str, object]:
    """Replace the parts that paddle.save cut arrays into by `Slices`."""
    used, whole = set(), {}
    for name, entry in (table.named() if isinstance(table, Table) else {}).items():
        facts = entry.named() if isinstance(entry, Table) else {}
        listed = facts.get("slices")
        names = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
        found = [named.get(each) for each in names]
        parts = tuple(part for part in found if isinstance(part, Array))
        if not parts or len(parts) != len(names):
            raise UnfitError(
                f"lists big parameters whose slices are missing ({shown(name)!r}); save it again"
            )
        whole[name] = Slices(name, parts, facts.get("OriginShape"))
        used |= set(names)
    return {name: value for name, value in named.items() if name not in used} | whole
