"""Constant nodes become initialisers; Identity nodes, and casts to the same type, go."""

from __future__ import annotations

from onnx import numpy_helper

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass, no_node_of


def run(graph: Graph) -> None:
    """See the module."""
    for node in graph.of_type("Constant"):
        graph.constants[node.outputs[0]] = numpy_helper.to_array(node.attributes["value"])
        graph.drop([node])
    bypass(graph, list(graph.of_type("Identity")))


def bypass(graph: Graph, nodes: list[Node]) -> None:
    """Remove nodes that hand on their first input; a graph output keeps its name."""
    outputs = graph.output_names()
    inner = [node for node in nodes if node.outputs[0] not in outputs]
    graph.rename({node.outputs[0]: node.inputs[0] for node in inner})
    graph.drop(inner)
    producers = graph.producers()
    for node in nodes:
        source, target = node.inputs[0], node.outputs[0]
        producer = producers.get(source)
        if target in outputs and producer is not None and source not in outputs:
            graph.drop([node])
            producer.outputs = [target if name == source else name for name in producer.outputs]
            graph.rename({source: target})


INLINE_CONSTANTS = Pass("inline_constants", run, ensures=no_node_of("Constant"))
