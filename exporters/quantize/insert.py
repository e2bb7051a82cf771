"""Static int8 in ONNX: convolutions between QuantizeLinear and DequantizeLinear.

The tensors that a layer reads and writes, its kernel (one scale per channel) and its bias become integers;
runtimes fuse the operators between the pairs into integer convolutions. All other operators stay float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.quantize.layers import Layer
from pose_onnx.exporters.quantize.numbers import BIAS_LIMIT, activation_scale, to_int8, weight_scales
from pose_onnx.exporters.quantize.ranges import Ranges


def quantize_layers(graph: Graph, layers: Sequence[Layer], ranges: Ranges) -> Graph:
    """Return a copy of the graph in which the given layers compute in int8.

    Args:
        graph: a float32 graph.
        layers: some of `layers_of(graph)`.
        ranges: ranges of `source` and `result` of each layer.
    """
    graph = graph.copy()
    results = dict.fromkeys(layer.result for layer in layers)
    for name in results:
        _quantize_result(graph, name, ranges)
    # Readers of a quantised result use its integers anyway; other tensors get a separate pair.
    sources = dict.fromkeys(layer.source for layer in layers if layer.source not in results)
    renamed = {name: _quantize_source(graph, name, ranges) for name in sources}
    makers = graph.producers()
    for layer in layers:
        node = makers[_float(layer.name) if layer.result == layer.name else layer.name]
        node.inputs[0] = renamed.get(layer.source, layer.source)
        _quantize_parameters(graph, node, layer, activation_scale(*ranges[layer.source])[0])
    graph.prune()
    return graph


def _float(name: str) -> str:
    return f"{name}/float"


def _pair(graph: Graph, name: str, source: str, target: str, ranges: Ranges) -> list[Node]:
    scale, zero = activation_scale(*ranges[name])
    numbers = [
        graph.constant(scale.reshape(()), f"{name}/scale"),
        graph.constant(zero.reshape(()), f"{name}/zero"),
    ]
    stored = f"{name}/int8"
    return [
        Node("QuantizeLinear", [source, *numbers], [stored]),
        Node("DequantizeLinear", [stored, *numbers], [target]),
    ]


def _quantize_result(graph: Graph, name: str, ranges: Ranges) -> None:
    """Put a pair after the node that computes a tensor; the name that readers use does not change."""
    at, node = next((i, n) for i, n in enumerate(graph.nodes) if name in n.outputs)
    node.outputs = [_float(name) if output == name else output for output in node.outputs]
    graph.nodes[at + 1 : at + 1] = _pair(graph, name, _float(name), name, ranges)


def _quantize_source(graph: Graph, name: str, ranges: Ranges) -> str:
    """Put a pair after a tensor, for the readers that use the new name."""
    at = next((i + 1 for i, n in enumerate(graph.nodes) if name in n.outputs), 0)
    target = f"{name}/dequantized"
    graph.nodes[at:at] = _pair(graph, name, name, target, ranges)
    return target


def _quantize_parameters(graph: Graph, node: Node, layer: Layer, source_scale: np.float32) -> None:
    weight = graph.constants[layer.weight]
    scales = weight_scales(weight)
    if layer.bias:
        bias = graph.constants[layer.bias]
        scales = np.maximum(scales, np.abs(bias) / (source_scale * np.float32(BIAS_LIMIT)))
        unit = source_scale * scales
        node.inputs[2] = _constant(graph, node, layer.bias, np.rint(bias / unit).astype(np.int32), unit)
    node.inputs[1] = _constant(graph, node, layer.weight, to_int8(weight, scales), scales)


def _constant(graph: Graph, node: Node, name: str, integers: np.ndarray, scales: np.ndarray) -> str:
    stored, scale = graph.constant(integers, f"{name}/stored"), graph.constant(scales, f"{name}/scale")
    target = f"{stored}/dequantized"
    at = next(i for i, other in enumerate(graph.nodes) if other is node)
    graph.nodes.insert(at, Node("DequantizeLinear", [stored, scale], [target], {"axis": 0}))
    return target
