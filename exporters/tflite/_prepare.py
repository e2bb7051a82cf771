"""Prepares a graph for lowering: drops what need not be lowered, and infers shapes."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from onnx.shape_inference import InferenceError

from pose_onnx.errors import ExportError
from pose_onnx.exporters.passes.fold_constants import FOLD_CONSTANTS
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import Extent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pose_onnx.exporters.graph import Graph, TensorInfo

# Lowerings use the meaning of attributes since opset 11; Softmax and the reductions check further.
_MIN_OPSET: Final = 11
# Shapes are inferred at these two batch sizes; an axis whose length differs scales with the batch.
_BATCHES: Final = (1, 2)
# Inputs that only state the output's shape. Shapes are inferred, so the nodes that compute them are dropped.
_SIZES: Final[Mapping[str, int]] = MappingProxyType({"Reshape": 1, "Expand": 1, "Resize": 3})


def prepare(graph: Graph) -> tuple[Graph, dict[str, Extent]]:
    """Fold constants, infer shapes, and drop what no output needs.

    Args:
        graph: The graph; it is not changed. Only the first axis of its inputs may be free.

    Returns:
        The graph to lower, with all inputs, and the shape of each of its tensors that is not constant.

    Raises:
        ExportError: A shape cannot be inferred, or an axis other than the first is free.
        UnsupportedOperatorError: A node is of another domain than ONNX's own.
    """
    left = graph.copy()
    left.prune()
    _demand_known_operators(left)
    FOLD_CONSTANTS.run(left)
    left.inputs = [*graph.inputs]
    extents = _infer_extents(left)
    for node in left.nodes:
        node.inputs = ["" if i == _SIZES.get(node.op) else name for i, name in enumerate(node.inputs)]
    left.prune()
    return replace(left, inputs=graph.inputs), extents


def measure_depths(graph: Graph) -> dict[str, int]:
    """Count the convolutions on the longest path from an input to each computed tensor."""
    depths: dict[str, int] = {}
    for node in graph.nodes:
        depth = max((depths.get(name, 0) for name in node.inputs), default=0) + (node.op == "Conv")
        depths.update(dict.fromkeys(node.outputs, depth))
    return depths


def _demand_known_operators(graph: Graph) -> None:
    opset = graph.opsets.get("", 0)
    if opset < _MIN_OPSET:
        raise ExportError(
            f"the ONNX model has opset {opset}, but the TFLite lowering needs opset {_MIN_OPSET} or later; "
            "export it again with opset 17"
        )
    for node in graph.nodes:
        if node.domain:
            raise UnsupportedOperatorError(node, f"its domain is {node.domain!r}")


def _infer_extents(graph: Graph) -> dict[str, Extent]:
    free = any(isinstance(size, str) for info in graph.inputs for size in info.shape)
    shapes = [_infer_shapes(graph, batch) for batch in (_BATCHES if free else _BATCHES[:1])]
    return {name: _extent(name, *(known[name] for known in shapes)) for name in shapes[0]}


def _infer_shapes(graph: Graph, batch: int) -> dict[str, tuple[int, ...]]:
    # Without outputs, because their stated shapes may name axes whose lengths are fixed now.
    bound = replace(graph, inputs=[_bind(info, batch) for info in graph.inputs], outputs=[])
    try:
        inferred = bound.shapes(strict=True)
    except InferenceError as error:
        raise ExportError(
            f"the shapes of the ONNX model cannot be inferred ({error}); check the model with onnx.checker"
        ) from error
    numbers = {name: tuple(s for s in shape if isinstance(s, int)) for name, shape in inferred.items()}
    shapes = {name: sizes for name, sizes in numbers.items() if len(sizes) == len(inferred[name])}
    for node in graph.nodes:
        if not all(name in shapes for name in node.outputs if name):
            raise UnsupportedOperatorError(node, "the shape of its output depends on the data")
    return shapes


def _bind(info: TensorInfo, batch: int) -> TensorInfo:
    if any(isinstance(size, str) for size in info.shape[1:]):
        raise ExportError(
            f"input {info.name!r} has the shape {info.shape}, but only its first axis may be free; export "
            "the ONNX model with a fixed image size"
        )
    return replace(info, shape=tuple(batch if isinstance(size, str) else size for size in info.shape))


def _extent(name: str, sizes: tuple[int, ...], doubled: tuple[int, ...] | None = None) -> Extent:
    if doubled is None or sizes == doubled:
        return Extent(sizes)
    free = [axis for axis, (one, two) in enumerate(zip(sizes, doubled, strict=True)) if one != two]
    if len(free) != 1 or doubled[free[0]] != 2 * sizes[free[0]]:
        raise ExportError(
            f"tensor {name!r} has the shape {sizes} at batch 1 and {doubled} at batch 2, but only one axis "
            "may scale with the batch; make the graph treat every image alike"
        )
    return Extent(sizes, free[0])
