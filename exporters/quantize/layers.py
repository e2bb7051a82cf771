"""The layers that int8 applies to: the convolutions, which have nearly all weights and computation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_onnx.exporters.graph import Graph, Node


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution, with the activation that runtimes fuse into it.

    Attributes:
        name: tensor that the convolution writes; also the name of the layer.
        source: tensor that it reads.
        weight: name of its kernel, (M, C / groups, kh, kw) float32.
        bias: name of its bias, (M,) float32; empty if it has none.
        result: tensor after the ReLU that follows, or `name`.
        depthwise: whether every input channel has its own kernels.
    """

    name: str
    source: str
    weight: str
    bias: str
    result: str
    depthwise: bool


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """Find the convolutions whose parameters are constants, in the graph's order."""
    readers, outputs = graph.consumers(), graph.output_names()
    return tuple(
        _layer(graph, node, _result(node, readers, outputs))
        for node in graph.of_type("Conv")
        if _is_float(graph, node.inputs[1]) and all(name in graph.constants for name in node.inputs[1:])
    )


def _layer(graph: Graph, node: Node, result: str) -> Layer:
    source, weight, *rest = node.inputs
    groups = node.attributes.get("group", 1)
    depthwise = groups > 1 and graph.constants[weight].shape[1] == 1
    return Layer(node.outputs[0], source, weight, "".join(rest), result, depthwise)


def _result(node: Node, readers: dict[str, list[Node]], outputs: set[str]) -> str:
    name = node.outputs[0]
    found = readers.get(name, [])
    fused = len(found) == 1 and found[0].op == "Relu" and name not in outputs
    return found[0].outputs[0] if fused else name


def _is_float(graph: Graph, name: str) -> bool:
    return name in graph.constants and graph.constants[name].dtype == np.float32
