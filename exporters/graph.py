"""An ONNX graph as plain Python data, so simple that a rewrite pass takes a dozen lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET: Final = 17
OPSETS: Final[Mapping[int, int]] = MappingProxyType({OPSET: 8, 19: 9})
"""Operator versions of our files with their format versions; the newer pair is for DeformConv only."""
Array = NDArray[Any]
Shape = tuple[int | str, ...]
"""Shape of a tensor; a free size is a string."""


@dataclass(slots=True)
class Node:
    """One operator.

    Attributes:
        op: its ONNX type.
        inputs: names of tensors; "" where an optional input is left out.
        outputs: names of tensors.
        attributes: attributes as Python values; strings are `str`.
        name: its name, or "" if it has none.
        domain: domain of its type; ONNX's own is "".
    """

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    domain: str = ""

    def input(self, index: int) -> str:
        """Name of an input, or "" if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Name, ONNX element type and shape of a graph input or output; type and shape are unknown if it is 0."""

    name: str
    dtype: int
    shape: Shape


@dataclass(slots=True)
class Graph:
    """A graph whose constants are arrays by name.

    Attributes:
        nodes: nodes in an order in which they can run.
        constants: initialisers: float or int arrays, which no pass may write to.
        inputs: inputs of the graph.
        outputs: outputs of the graph.
        skipped: one sentence for each pass that was skipped, with the reason.
        opsets: operator version of each domain.
    """

    nodes: list[Node]
    constants: dict[str, Array]
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    skipped: tuple[str, ...] = ()
    opsets: Mapping[str, int] = field(default_factory=lambda: {"": OPSET})
    _given: set[str] = field(default_factory=set)

    @property
    def ir_version(self) -> int:
        """Format version that matches the operators; the oldest one for operators of other versions."""
        return OPSETS.get(self.opsets.get("", OPSET), OPSETS[OPSET])

    @classmethod
    def from_model(cls, model: onnx.ModelProto) -> Graph:
        """Read a model."""
        graph = model.graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return cls(
            [_node(node) for node in graph.node],
            constants,
            [_info(value) for value in graph.input if value.name not in constants],
            [_info(value) for value in graph.output],
            opsets={_domain(entry): entry.version for entry in model.opset_import},
        )

    def to_model(self, *, strict: bool = False) -> onnx.ModelProto:
        """Convert the graph to a model with inferred shapes for every tensor.

        Args:
            strict: whether contradictory shapes are an error.

        Raises:
            onnx.shape_inference.InferenceError: shapes contradict each other, and `strict` is set.
        """
        model = self.skeleton(strict=strict)
        del model.graph.input[len(self.inputs) :]
        del model.graph.initializer[:]
        model.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in self.constants.items())
        return model

    @property
    def weights(self) -> dict[str, Array]:
        """The constants that are additional inputs of the hollow model: those of more than one axis."""
        return {name: array for name, array in self.constants.items() if array.ndim > 1}

    def skeleton(self, *, strict: bool = False) -> onnx.ModelProto:
        """Return the hollow model with inferred shapes; see `to_model`.

        Only the shapes of the weights matter: without their values, inference is several times faster.
        """
        return onnx.shape_inference.infer_shapes(
            self.hollow(), check_type=strict, strict_mode=strict, data_prop=True
        )

    def hollow(self) -> onnx.ModelProto:
        """Return the model with weights as additional inputs: it takes next to no memory."""
        weights = self.weights
        nodes = [
            helper.make_node(n.op, n.inputs, n.outputs, name, domain=n.domain or None, **n.attributes)
            for n, name in zip(self.nodes, self._unique_names(), strict=True)
        ]
        graph = helper.make_graph(
            nodes,
            "pose_onnx",
            [
                *(helper.make_tensor_value_info(t.name, t.dtype, t.shape) for t in self.inputs),
                *(
                    helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
                    for n, a in weights.items()
                ),
            ],
            [
                helper.make_tensor_value_info(t.name, t.dtype, t.shape)
                if t.dtype
                else helper.make_empty_tensor_value_info(t.name)
                for t in self.outputs
            ],
            [numpy_helper.from_array(a, name) for name, a in self.constants.items() if name not in weights],
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(domain, version) for domain, version in self.opsets.items()],
            ir_version=self.ir_version,
            producer_name="pose-onnx",
        )

    def _unique_names(self) -> list[str]:
        """A name for every node: its own, or a new one that no other node has."""
        taken = {node.name for node in self.nodes}
        numbers = count()
        return [
            node.name or next(name for i in numbers if (name := f"{node.op}_{i}") not in taken)
            for node in self.nodes
        ]

    def copy(self) -> Graph:
        """Return a copy whose nodes may be changed; arrays are shared, as nothing writes to them."""
        nodes = [
            replace(n, inputs=[*n.inputs], outputs=[*n.outputs], attributes={**n.attributes})
            for n in self.nodes
        ]
        return replace(
            self,
            nodes=nodes,
            constants=dict(self.constants),
            inputs=[*self.inputs],
            outputs=[*self.outputs],
            _given=set(),
        )

    def shapes(self, *, strict: bool = False) -> dict[str, Shape]:
        """Infer the shape of every tensor; one that cannot be inferred is left out. See `to_model`."""
        graph = self.skeleton(strict=strict).graph
        del graph.input[len(self.inputs) :]
        values = [*graph.input, *graph.output, *graph.value_info]
        return {v.name: _info(v).shape for v in values if v.type.tensor_type.HasField("shape")}

    def producers(self) -> dict[str, Node]:
        """Map every computed tensor to the node that makes it."""
        return {name: node for node in self.nodes for name in node.outputs}

    def consumers(self) -> dict[str, list[Node]]:
        """Map every tensor to the nodes that read it."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def output_names(self) -> set[str]:
        """Names of the graph's outputs."""
        return {t.name for t in self.outputs}

    def of_type(self, *ops: str) -> Iterator[Node]:
        """Nodes of these operators, from a snapshot: the list may be changed during the iteration."""
        return iter([n for n in self.nodes if n.op in ops])

    def constant(self, array: Array, hint: str) -> str:
        """Add a constant and return its name, made from `hint`."""
        name = self.new_name(hint)
        self.constants[name] = array
        return name

    def new_name(self, hint: str) -> str:
        """Return an unused tensor name, made from `hint`; it is never returned again."""
        inputs = [t.name for t in self.inputs]
        name, number = hint, 0
        while (
            name in self._given
            or name in self.constants
            or name in inputs
            or any(name in node.outputs for node in self.nodes)
        ):
            number += 1
            name = f"{hint}_{number}"
        self._given.add(name)
        return name

    def rename(self, names: Mapping[str, str]) -> None:
        """Make every reader of a key of `names` read its value instead, following chains."""

        def final(name: str) -> str:
            while name in names:
                name = names[name]
            return name

        for node in self.nodes:
            node.inputs = [final(name) for name in node.inputs]

    def drop(self, dead: Sequence[Node]) -> None:
        """Remove nodes."""
        gone = {id(node) for node in dead}
        self.nodes = [node for node in self.nodes if id(node) not in gone]

    def swap(self, old: Node, new: Sequence[Node]) -> None:
        """Replace a node by others, which may include the node itself."""
        place = next(i for i, node in enumerate(self.nodes) if node is old)
        self.nodes[place : place + 1] = new

    def prune(self) -> None:
        """Remove nodes, constants and inputs that no output needs."""
        needed = self.output_names()
        kept = []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                needed.update(node.inputs)
                kept.append(node)
        self.nodes = kept[::-1]
        self.constants = {k: v for k, v in self.constants.items() if k in needed}
        self.inputs = [t for t in self.inputs if t.name in needed]


def _node(node: onnx.NodeProto) -> Node:
    attributes = {a.name: _text(helper.get_attribute_value(a)) for a in node.attribute}
    return Node(node.op_type, list(node.input), list(node.output), attributes, node.name, _domain(node))


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _domain(item: onnx.NodeProto | onnx.OperatorSetIdProto) -> str:
    """Name of a domain; ONNX's own has two names."""
    return "" if item.domain == "ai.onnx" else str(item.domain)


def _info(value: onnx.ValueInfoProto) -> TensorInfo:
    tensor = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param for d in tensor.shape.dim)
    return TensorInfo(value.name, tensor.elem_type, shape)


def permutation(node: Node, rank: int) -> list[int]:
    """Permutation of a Transpose; without the attribute it reverses the axes."""
    return list(node.attributes.get("perm", range(rank)[::-1]))


def scalar(array: Array | None) -> float | None:
    """Return the one value that fills an array, or None if there is no array or more than one value."""
    if array is None or array.size == 0:
        return None
    first = array.reshape(-1)[0]
    return float(first) if bool(np.all(array == first)) else None
