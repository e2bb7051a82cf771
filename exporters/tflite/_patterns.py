"""Groups of ONNX operators for which TFLite has one of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pose_onnx.exporters.tflite._graph import Graph, Node

if TYPE_CHECKING:
    from collections.abc import Mapping


def join_sigmoid(graph: Graph) -> Graph:
    """Read 1 / (1 + exp(-x)) as Sigmoid.

    Our ONNX files spell it out because ONNX Runtime's Sigmoid loses small values; TFLite's LOGISTIC keeps
    them to 3e-7 of their size, better than the four operators do one after the other (1e-6).
    """
    makers = {name: node for node in graph.nodes for name in node.outputs}
    joined: dict[int, Node] = {}
    dropped: set[int] = set()
    for node in graph.nodes:
        chain = _sigmoid_chain(node, graph, makers)
        if chain:
            negation = chain[-1]
            joined[id(node)] = Node("Sigmoid", node.name, negation.inputs, node.outputs, {})
            dropped.update(id(part) for part in chain)
    nodes = tuple(joined.get(id(node), node) for node in graph.nodes if id(node) not in dropped)
    return replace(graph, nodes=nodes)


def _sigmoid_chain(root: Node, graph: Graph, makers: Mapping[str, Node]) -> list[Node]:
    """The nodes Add, Exp, Neg whose only reader is the next and at last `root`, or none of them."""
    if root.op_type != "Div" or not _is_one(root.inputs[0], graph):
        return []
    chain, name = [], root.inputs[1]
    for kind in ("Add", "Exp", "Neg"):
        node = makers.get(name)
        if node is None or node.op_type != kind or graph.uses(name) != 1:
            return []
        rest = [other for other in node.inputs if not (kind == "Add" and _is_one(other, graph))]
        if len(rest) != 1:
            return []
        chain.append(node)
        name = rest[0]
    return chain


def _is_one(name: str, graph: Graph) -> bool:
    value = graph.constants.get(name)
    return value is not None and value.size == 1 and bool(np.all(value == 1))
