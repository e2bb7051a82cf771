"""The ONNX graph as the lowerings read it: needed nodes, constants folded, every shape known."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from pose_onnx.errors import ExportError
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import Extent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# Lowerings read attributes by their meaning from opset 11 on; Softmax and the reductions check further.
_MIN_OPSET: Final = 11
# Shapes are inferred at these two batch sizes; an axis whose length differs scales with the batch.
_BATCHES: Final = (1, 2)
_DEFAULT_DOMAINS: Final = ("", "ai.onnx")
# Inputs that only say which shape the output has: shapes are inferred, what computes them is not lowered.
_SIZES: Final[Mapping[str, int]] = MappingProxyType({"Reshape": 1, "Expand": 1, "Resize": 3})
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of the ONNX graph.

    Attributes:
        op_type: Its ONNX type.
        name: Its name, or its first output where it has none.
        inputs: Names of its inputs; an absent optional one is "".
        outputs: Names of its outputs.
        attributes: Its attributes as Python values, strings decoded.
    """

    op_type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def input(self, index: int) -> str:
        """Name of the input, "" where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(frozen=True, slots=True)
class Graph:
    """What is left to lower.

    Attributes:
        opset: Version of the default operator set.
        nodes: Nodes that an output needs and that are not constant, in order.
        constants: Value of every tensor known at conversion time, by name.
        extents: Shape of every other tensor, by name.
        depths: Convolutions on the longest way from an input, by name of tensor.
        inputs: Names of the inputs.
        outputs: Names of the outputs.
    """

    opset: int
    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    extents: Mapping[str, Extent]
    depths: Mapping[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def uses(self, name: str) -> int:
        """How often a tensor is read, as an output of the graph or by a node."""
        return self.outputs.count(name) + sum(node.inputs.count(name) for node in self.nodes)


def read_graph(model: onnx.ModelProto) -> Graph:
    """Fold constants, drop what no output needs, and infer shapes.

    Args:
        model: An ONNX model whose first axis may be free, and no other; it is not changed.

    Raises:
        ExportError: A shape cannot be known, or an axis other than the first is free.
        UnsupportedOperatorError: A node is of another domain than ONNX's own.
    """
    opset = _opset(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    protos = _fold_constants(_needed(model.graph.node, model.graph.output), constants, model)
    inputs = [value for value in model.graph.input if value.name not in constants]
    extents = _infer_extents(model, inputs, protos, constants)
    nodes = tuple(_read_node(proto) for proto in _needed(protos, model.graph.output, _SIZES))
    return Graph(
        opset=opset,
        nodes=nodes,
        constants=constants,
        extents=extents,
        depths=_measure_depths(nodes),
        inputs=tuple(value.name for value in inputs),
        outputs=tuple(value.name for value in model.graph.output),
    )


def _opset(model: onnx.ModelProto) -> int:
    opset = max(
        (entry.version for entry in model.opset_import if entry.domain in _DEFAULT_DOMAINS), default=0
    )
    if opset < _MIN_OPSET:
        raise ExportError(
            f"the ONNX model uses opset {opset}, the TFLite lowering reads opset {_MIN_OPSET} and later; "
            "export it again with opset 17"
        )
    return int(opset)


def _needed(
    protos: Sequence[onnx.NodeProto],
    outputs: Sequence[onnx.ValueInfoProto],
    unread: Mapping[str, int] = _NOTHING,
) -> list[onnx.NodeProto]:
    """The nodes that an output needs, `unread` being inputs, by type of node, that need nothing."""
    wanted = {value.name for value in outputs}
    kept = []
    for proto in reversed(protos):
        if wanted.intersection(proto.output):
            wanted.update(
                name for index, name in enumerate(proto.input) if index != unread.get(proto.op_type)
            )
            kept.append(proto)
    return kept[::-1]


def _fold_constants(
    protos: Sequence[onnx.NodeProto], constants: dict[str, NDArray[Any]], model: onnx.ModelProto
) -> list[onnx.NodeProto]:
    """Evaluate nodes that read constants only, into `constants`; return the others."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    left = []
    for proto in protos:
        if proto.domain not in _DEFAULT_DOMAINS:
            raise UnsupportedOperatorError(_read_node(proto), f"its domain is {proto.domain!r}")
        names = [name for name in proto.input if name]
        if all(name in constants for name in names):
            evaluator = ReferenceEvaluator(proto, opsets=opsets)
            values = evaluator.run(None, {name: constants[name] for name in names})
            constants.update(zip(proto.output, (np.asarray(value) for value in values), strict=False))
        else:
            left.append(proto)
    return left


def _measure_depths(nodes: Sequence[Node]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for node in nodes:
        depth = max((depths.get(name, 0) for name in node.inputs), default=0) + (node.op_type == "Conv")
        depths.update(dict.fromkeys(node.outputs, depth))
    return depths


def _infer_extents(
    model: onnx.ModelProto,
    inputs: Sequence[onnx.ValueInfoProto],
    protos: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]],
) -> dict[str, Extent]:
    free = any(_dimension(value, 0) is None for value in inputs)
    read = {name for proto in protos for name in proto.input}
    initializers = [
        numpy_helper.from_array(constants[name], name) for name in sorted(read & constants.keys())
    ]
    shapes = []
    for batch in _BATCHES if free else _BATCHES[:1]:
        bound = onnx.helper.make_graph(
            protos,
            model.graph.name,
            [_bound(value, batch) for value in inputs],
            _unshaped(model),
            initializers,
        )
        bound_model = onnx.helper.make_model(
            bound, opset_imports=model.opset_import, ir_version=model.ir_version
        )
        shapes.append(_infer_shapes(bound_model))
    return {name: _extent(name, *(known[name] for known in shapes)) for name in shapes[0]}


def _unshaped(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The outputs without their shapes, which may name dimensions that are bound now."""
    make = onnx.helper.make_tensor_value_info
    return [make(value.name, value.type.tensor_type.elem_type, None) for value in model.graph.output]


def _dimension(value: onnx.ValueInfoProto, axis: int) -> int | None:
    """Length of an axis, None where it is free."""
    dimensions = value.type.tensor_type.shape.dim
    if axis >= len(dimensions):
        return 1
    return dimensions[axis].dim_value if dimensions[axis].HasField("dim_value") else None


def _bound(value: onnx.ValueInfoProto, batch: int) -> onnx.ValueInfoProto:
    sizes = [_dimension(value, axis) for axis in range(len(value.type.tensor_type.shape.dim))]
    if None in sizes[1:]:
        raise ExportError(
            f"input {value.name!r} has the shape {sizes}, only its first axis may be free; "
            "export the ONNX model with a fixed image size"
        )
    bound = [batch if size is None else size for size in sizes]
    return onnx.helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, bound)


def _infer_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    try:
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        raise ExportError(
            f"the shapes of the ONNX model cannot be inferred ({error}); check the model with onnx.checker"
        ) from error
    graph = inferred.graph
    shapes = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        sizes = [_dimension(value, axis) for axis in range(len(value.type.tensor_type.shape.dim))]
        if value.type.tensor_type.HasField("shape") and None not in sizes:
            shapes[value.name] = tuple(size for size in sizes if size is not None)
    for proto in graph.node:
        if not all(name in shapes for name in proto.output if name):
            raise UnsupportedOperatorError(_read_node(proto), "the shape of its output depends on the data")
    return shapes


def _extent(name: str, sizes: tuple[int, ...], doubled: tuple[int, ...] | None = None) -> Extent:
    if doubled is None or sizes == doubled:
        return Extent(sizes)
    free = [axis for axis, (one, two) in enumerate(zip(sizes, doubled, strict=True)) if one != two]
    if len(free) != 1 or doubled[free[0]] != 2 * sizes[free[0]]:
        raise ExportError(
            f"tensor {name!r} has the shape {sizes} at batch 1 and {doubled} at batch 2, expected one axis "
            "that scales with the batch; make the graph treat every image alike"
        )
    return Extent(sizes, free[0])


def _read_node(proto: onnx.NodeProto) -> Node:
    attributes = {
        attribute.name: _plain(onnx.helper.get_attribute_value(attribute)) for attribute in proto.attribute
    }
    name = proto.name or proto.output[0]
    return Node(proto.op_type, name, tuple(proto.input), tuple(proto.output), attributes)


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
