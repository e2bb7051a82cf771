"""A random network in the making: its tensors, their shapes, and constants of every spelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET: Final = 17
IR_VERSION: Final = 8
IMAGE: Final = "image"
CHANNELS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 20, 32, 40)
SIDES: Final = (4, 5, 6, 7, 8, 8, 12)
MAX_SIDE: Final = 24
MAX_NUMBERS: Final = 1 << 13  # in one image
STEPS: Final = 64.0
"""Weights are multiples of its inverse, so that float16 holds them exactly."""

Shape = tuple[int, ...]
Array = NDArray[Any]


class Net:
    """Nodes, constants and the shape of every tensor, always valid.

    Shapes leave out the first axis, the batch: an image is (C, H, W), rows are (L, K), a vector is (K,).
    """

    def __init__(self, rng: np.random.Generator, batch: int | None) -> None:
        self.rng = rng
        self.batch = batch
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        channels = self.one_of((3, 8, 4, 16))
        self.shapes: dict[str, Shape] = {IMAGE: (channels, self.one_of(SIDES), self.one_of(SIDES))}
        self._count = 0

    # ---- chance --------------------------------------------------------------------------------------

    def one_of(self, values: Sequence[Any]) -> Any:
        """Return one of the values."""
        return values[int(self.rng.integers(len(values)))]

    def chance(self, probability: float) -> bool:
        """Return True that often."""
        return bool(self.rng.random() < probability)

    def pick(self, rank: int = 3) -> str:
        """Name of a tensor, the newer the likelier; shared readers come from picking one twice."""
        names = [name for name, shape in self.shapes.items() if len(shape) == rank] or [IMAGE]
        back = min(int(self.rng.geometric(0.4)), len(names))
        return names[-back]

    def like(self, shape: Shape, *, but: int | None = None) -> str | None:
        """Name of a tensor of that shape, whatever its axis `but` is; None if there is none."""
        names = [
            name
            for name, other in self.shapes.items()
            if len(other) == len(shape)
            and all(a == b or axis == but for axis, (a, b) in enumerate(zip(other, shape, strict=True)))
        ]
        return self.one_of(names[-4:]) if names else None

    # ---- what is written -----------------------------------------------------------------------------

    def name(self) -> str:
        """Return a new name."""
        self._count += 1
        return f"t{self._count}"

    def add(self, op: str, inputs: Sequence[str], shape: Shape | None, **attributes: Any) -> str:
        """Append a node with one output; a tensor with shape None is never picked by others."""
        return self.add_many(op, inputs, [shape], **attributes)[0]

    def add_many(
        self, op: str, inputs: Sequence[str], shapes: Sequence[Shape | None], **attributes: Any
    ) -> list[str]:
        """Append a node with an output for each shape."""
        names = [self.name() for _ in shapes]
        title = f"{op}.{names[0]}" if self.chance(0.8) else ""
        self.nodes.append(helper.make_node(op, list(inputs), names, name=title, **attributes))
        self.shapes |= {n: s for n, s in zip(names, shapes, strict=True) if s is not None}
        return names

    def weights(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Array:
        """Random float32 array of numbers that float16 holds exactly."""
        values = self.rng.uniform(low, high, shape)
        return np.asarray(np.round(values * STEPS) / STEPS, np.float32)

    def constant(self, array: Array, *, plain: bool = False) -> str:
        """Write a constant in one of the ways that ONNX has; a `plain` one is an initialiser."""
        array = np.asarray(array)
        way = 0.0 if plain else self.rng.random()
        if way < 0.8:
            name = f"c{self.name()}"
            self.initializers.append(numpy_helper.from_array(array, name))
            return name
        if way < 0.9:
            return self.add("Constant", [], None, **_constant_attribute(array))
        if way < 0.94 or array.dtype != np.float32:
            return self.add("Identity", [self.constant(array, plain=True)], None)
        half = self.constant(array / 2, plain=True)
        return self.add("Add", [half, half], None)

    def ints(self, *values: int) -> str:
        """Write a vector of integers."""
        return self.constant(np.array(values, np.int64))

    # ---- the model -----------------------------------------------------------------------------------

    def model(self, outputs: Sequence[str], free: Sequence[int]) -> onnx.ModelProto:
        """Return the network; axes `free` of the image (1: channels) have no size, but a name with it."""
        first = "N" if self.batch is None else self.batch
        image = [first, *self.shapes[IMAGE]]
        for axis in free:
            image[axis] = f"free_{image[axis]}"
        make = helper.make_tensor_value_info
        results = [
            make(
                name,
                TensorProto.FLOAT,
                [first, *(f"{name}_{axis}" if free else size for axis, size in enumerate(self.shapes[name]))],
            )
            for name in outputs
        ]
        graph = helper.make_graph(
            self.nodes, "fuzz", [make(IMAGE, TensorProto.FLOAT, image)], results, self.initializers
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _constant_attribute(array: Array) -> dict[str, Any]:
    """One of the attributes by which Constant gives its value."""
    kind = "float" if array.dtype == np.float32 else "int"
    if array.dtype not in (np.float32, np.int64) or array.ndim > 1:
        return {"value": numpy_helper.from_array(array)}
    return {f"value_{kind}": array.item()} if array.ndim == 0 else {f"value_{kind}s": array.tolist()}
