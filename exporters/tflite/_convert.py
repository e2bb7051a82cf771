"""Converts an ONNX model to a TFLite file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from pose_onnx.errors import ExportError
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.tflite._builder import Builder
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._parity import demand_parity, expect
from pose_onnx.exporters.tflite._prepare import prepare
from pose_onnx.exporters.tflite.table import LOWERINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx

_NO_METADATA: Final[Mapping[str, bytes]] = MappingProxyType({})


def convert(
    model: onnx.ModelProto,
    *,
    weights: Literal["float32", "float16"] = "float32",
    metadata: Mapping[str, bytes] = _NO_METADATA,
) -> bytes:
    """Lower an ONNX model to a TFLite file, and check what it computes; see `lower`.

    Args:
        model: A float32 model with opset 11 or later (designed for 17). Only the batch axis may be free. The
            model is not changed.
        weights: As `lower` has it.
        metadata: Likewise.

    Returns:
        The content of the file, which computes the same as ONNX Runtime, with and without XNNPACK.

    Raises:
        UnsupportedOperatorError: A node has no TFLite counterpart; the message names it.
        DisparityError: The file does not compute the same as the model.
        ExportError: The model is not of this form.
    """
    graph = Graph.from_model(model)
    content = lower(graph, weights=weights, metadata=metadata)
    demand_parity(expect(graph), content, weights)
    return content


def lower(
    whole: Graph,
    *,
    weights: Literal["float32", "float16"] = "float32",
    metadata: Mapping[str, bytes] = _NO_METADATA,
) -> bytes:
    """Lower a graph to a TFLite file.

    The file keeps the names of inputs, outputs and inner tensors, and offers them as the signature
    `serving_default`. Tensors of rank 4 are (N, H, W, C) in the file, all others are as in ONNX. A free
    first axis of the inputs stays free: `resize_tensor_input` takes any batch. Equal graphs give equal
    bytes.

    Args:
        whole: A float32 graph with opset 11 or later (designed for 17). Only the batch axis may be free. The
            graph is not changed.
        weights: How kernels and matrices are stored. All computation is float32.
        metadata: Content of further metadata entries, by name.

    Returns:
        The content of the file. `demand_parity` checks what it computes.

    Raises:
        UnsupportedOperatorError: A node has no TFLite counterpart; the message names it.
        ExportError: The graph is not of this form.
    """
    graph, extents = prepare(whole)
    build = Builder(graph, extents, float16=weights == "float16")
    inputs = {info.name: build.add_input(info.name) for info in graph.inputs}
    for node in graph.nodes:
        if node.op not in LOWERINGS:
            raise UnsupportedOperatorError(node, f"the supported operators are {', '.join(LOWERINGS)}")
        LOWERINGS[node.op](node, build)
    names = [info.name for info in graph.outputs]
    for name in names:
        if build.is_constant(name):
            raise ExportError(f"output {name!r} is a constant and does not depend on the inputs; remove it")
    outputs = {name: build.add_output(name) for name in names}
    return build.file.pack(inputs, outputs, metadata)
