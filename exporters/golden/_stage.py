"""One stage of a pipeline: input arrays, output arrays, and the tolerance for a port."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """One array.

    Attributes:
        array: Its values.
        meaning: What the values are, with their unit.
        tolerance: Largest absolute difference of a correct result, in that unit; none for inputs.
        reason: The reason for this tolerance.
        share: Largest share of the values that may differ at all.
        sure: Name of the matching scores, one or more for each row: a row is compared only if one of these
            reaches `JOINT_THRESHOLD`.
    """

    array: Array
    meaning: str
    tolerance: float | None = None
    reason: str = ""
    share: float = 1.0
    sure: str = ""

    def describe(self, file: str) -> dict[str, object]:
        """Return everything but the values, for JSON."""
        facts: dict[str, object] = {
            "file": file,
            "shape": list(self.array.shape),
            "dtype": self.array.dtype.name,
            "meaning": self.meaning,
        }
        if self.tolerance is not None:
            facts |= {"tolerance": self.tolerance, "reason": self.reason}
        if self.share < 1:
            facts["share"] = self.share
        if self.sure:
            facts["only_where_sure"] = self.sure
        return facts


class Store:
    """`.npy` files by path; an array that is already stored is not stored again."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._paths: dict[bytes, str] = {}

    def add(self, path: str, array: Array) -> str:
        """Store an array; return its path, or the earlier path if the same values are already stored."""
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array, array.dtype.newbyteorder("<")), allow_pickle=False)
        content = buffer.getvalue()
        place = self._paths.setdefault(content, path)
        self.files[place] = content
        return place


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        part: What the stage belongs to: a model's name, or "pair".
        name: "resize", "crop", "normalize", "network", "decode", "to_image" or "end_to_end".
        does: What the stage does, in one sentence.
        inputs: Input arrays by name.
        outputs: Output arrays by name.
        model_file: Name of the ONNX file that does the whole stage, if there is one. Inputs and outputs then
            have the names of its tensors.
        parameters: Other numbers that the stage needs.
    """

    part: str
    name: str
    does: str
    inputs: Mapping[str, Golden]
    outputs: Mapping[str, Golden]
    model_file: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def describe(self, store: Store) -> dict[str, object]:
        """Put the arrays into a store; return everything but their values, for JSON."""

        def describe(arrays: Mapping[str, Golden]) -> dict[str, object]:
            folder = f"{self.part}/{self.name}"
            return {
                name: golden.describe(store.add(f"{folder}/{name}.npy", golden.array))
                for name, golden in arrays.items()
            }

        return {
            "part": self.part,
            "name": self.name,
            "does": self.does,
            **({"model_file": self.model_file} if self.model_file else {}),
            **({"parameters": dict(self.parameters)} if self.parameters else {}),
            "inputs": describe(self.inputs),
            "outputs": describe(self.outputs),
        }
