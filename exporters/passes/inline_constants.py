"""Turns Constant nodes into initialisers, and removes Identity nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from onnx import numpy_helper

from pose_onnx.exporters.graph import Array, Graph, Node
from pose_onnx.exporters.passes._runner import Pass

_READERS: Final[Mapping[str, Callable[[Any], Array]]] = MappingProxyType(
    {
        "value": numpy_helper.to_array,
        "value_float": np.float32,
        "value_floats": lambda values: np.array(values, np.float32),
        "value_int": np.int64,
        "value_ints": lambda values: np.array(values, np.int64),
    }
)
"""Forms in which a Constant gives its value; strings and sparse tensors stay as they are."""


def run(graph: Graph) -> None:
    """See the module."""
    inlined = []
    for node in graph.of_type("Constant"):
        ((attribute, value),) = node.attributes.items()
        if attribute in _READERS:
            graph.constants[node.outputs[0]] = np.asarray(_READERS[attribute](value))
            inlined.append(node)
    graph.drop(inlined)
    bypass(graph, list(graph.of_type("Identity")))


def bypass(graph: Graph, nodes: list[Node]) -> None:
    """Remove nodes that return their first input unchanged; a graph output keeps its name.

    A node stays if it gives a second name to an output of the graph, or makes an input or a constant an
    output.
    """
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


INLINE_CONSTANTS = Pass("inline_constants", run)
