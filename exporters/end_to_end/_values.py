"""Tensors of a graph under construction: an expression in Python appends the operators that compute it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from onnx import helper

from pose_onnx.exporters.graph import Graph, Node

Operand: TypeAlias = "Value | ArrayLike"
_REVISED: Final = 18
"""The opset from which on Split states the number of parts, and ReduceMax and the like take axes as input."""
_BOOL: Final = np.dtype(np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor. Numbers and arrays used together with it become constants of its dtype.

    Attributes:
        graph: The graph that operators are appended to.
        name: Name of the tensor.
        dtype: Type of its elements.
    """

    graph: Graph
    name: str
    dtype: np.dtype[Any]

    def __add__(self, other: Operand) -> Value:
        return self.apply("Add", other)

    def __sub__(self, other: Operand) -> Value:
        return self.apply("Sub", other)

    def __rsub__(self, other: Operand) -> Value:
        return self.constant(other).apply("Sub", self)

    def __mul__(self, other: Operand) -> Value:
        return self.apply("Mul", other)

    def __truediv__(self, other: Operand) -> Value:
        return self.apply("Div", other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self.constant(other).apply("Div", self)

    def __neg__(self) -> Value:
        return self.apply("Neg")

    def __gt__(self, other: Operand) -> Value:
        return self.apply("Greater", other, dtype=_BOOL)

    def __le__(self, other: Operand) -> Value:
        return self.apply("LessOrEqual", other, dtype=_BOOL)

    def __matmul__(self, other: Operand) -> Value:
        return self.apply("MatMul", other)

    def apply(self, op: str, *others: Operand, dtype: DTypeLike | None = None, **attributes: Any) -> Value:
        """Append an operator that takes this tensor and `others` (of the same dtype); return its output."""
        inputs = [self.name, *(self.constant(other).name for other in others)]
        (output,) = self._append(op, inputs, 1, attributes)
        return Value(self.graph, output, self.dtype if dtype is None else np.dtype(dtype))

    def constant(self, value: Operand, dtype: DTypeLike | None = None) -> Value:
        """Return `value` as a tensor, with this tensor's dtype unless another is given."""
        if isinstance(value, Value):
            return value
        array = np.array(value, self.dtype if dtype is None else dtype)
        return Value(self.graph, self.graph.constant(array, "constant"), array.dtype)

    def integers(self, values: int | Sequence[int] | Value) -> Value:
        """Return whole numbers as the int64 tensor in which operators take shapes, axes and indices."""
        return values if isinstance(values, Value) else self.constant(np.array(values), np.int64)

    def cast(self, dtype: DTypeLike) -> Value:
        """Convert the elements; floats are rounded towards zero to integers."""
        return self.apply("Cast", dtype=dtype, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def clip(self, low: Operand, high: Operand) -> Value:
        """Return `max(low, min(self, high))`."""
        return self.apply("Min", high).apply("Max", low)

    def where(self, then: Operand, otherwise: Operand) -> Value:
        """Choose elements by this boolean tensor; one of the two operands must be a tensor."""
        like = next(value for value in (then, otherwise) if isinstance(value, Value))
        return self.apply("Where", like.constant(then), like.constant(otherwise), dtype=like.dtype)

    def shape(self, axis: int) -> Value:
        """Return the size of one axis, (1,) int64."""
        return self.apply("Shape", dtype=np.int64, start=axis, end=axis + 1)

    def reshape(self, *sizes: int) -> Value:
        """Change the shape; -1 means the remaining size, 0 an unchanged size."""
        return self.apply("Reshape", self.integers(sizes))

    def unsqueeze(self, *axes: int) -> Value:
        """Insert axes of size 1."""
        return self.apply("Unsqueeze", self.integers(axes))

    def transpose(self, *axes: int) -> Value:
        """Put the axes in another order."""
        return self.apply("Transpose", perm=axes)

    def take(self, indices: int | Sequence[int] | Value, axis: int = 0) -> Value:
        """Gather along an axis."""
        return self.apply("Gather", self.integers(indices), axis=axis)

    def first(self, count: Value) -> Value:
        """Return the first `count` rows; none if it is 0 or less. `count` is (1,) int64."""
        return self.apply("Slice", self.integers([0]), count.apply("Max", 0))

    def best(self, count: Value) -> tuple[Value, Value]:
        """Return the largest numbers, descending, and their indices, (count,) each; `count` is (1,) int64."""
        values, places = self._append("TopK", [self.name, count.name], 2, {})
        return Value(self.graph, values, self.dtype), Value(self.graph, places, np.dtype(np.int64))

    def reduce(self, kind: str, *axes: int, keep: bool = True) -> Value:
        """Reduce axes to one value each: "Max", "Min" or "Prod". Axes that are not kept disappear."""
        if self.graph.opsets[""] >= _REVISED:
            return self.apply(f"Reduce{kind}", self.integers(axes), keepdims=int(keep))
        return self.apply(f"Reduce{kind}", axes=list(axes), keepdims=int(keep))

    def split(self, parts: int, axis: int) -> list[Value]:
        """Cut an axis into equal parts."""
        named = {"num_outputs": parts} if self.graph.opsets[""] >= _REVISED else {}
        outputs = self._append("Split", [self.name], parts, {"axis": axis, **named})
        return [Value(self.graph, output, self.dtype) for output in outputs]

    def join(self, *others: Operand, axis: int) -> Value:
        """Concatenate."""
        return self.apply("Concat", *others, axis=axis)

    def rename(self, name: str) -> None:
        """Rename the tensor, for use as an output of the graph."""
        self.graph.nodes.append(Node("Identity", [self.name], [name]))

    def _append(self, op: str, inputs: list[str], count: int, attributes: dict[str, Any]) -> list[str]:
        number = len(self.graph.nodes)
        outputs = [f"{op}_{number}_{index}" for index in range(count)]
        self.graph.nodes.append(Node(op, inputs, outputs, attributes))
        return outputs
