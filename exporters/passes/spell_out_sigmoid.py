"""Replaces a sigmoid under a square root by 1 / (1 + exp(-x)).

ONNX Runtime's Sigmoid has an absolute error of about 1e-7, not a relative one. PicoDet's score is
sqrt(sigmoid * sigmoid + 1e-9): near 0, the root turns that error into 1e-5 (measured on the pedestrian
models), and so does the power below 1 in PP-YOLO's scores. Exp is exact to the last bits for small results
too. TFLite's LOGISTIC has a relative error of 3e-7, so only ONNX files need this.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node, scalar
from pose_onnx.exporters.passes._runner import Pass

CARRIERS: Final = frozenset({"Mul", "Add", "Reshape", "Transpose", "Concat"})
"""Operators through which a small sigmoid remains a small value."""


def run(graph: Graph) -> None:
    """See the module."""
    if found := _sensitive(graph):
        spell_out(graph, found)


def spell_out(graph: Graph, sigmoids: Iterable[Node]) -> None:
    """Replace these Sigmoid nodes of a graph by 1 / (1 + exp(-x))."""
    shapes = graph.shapes()
    for sigmoid in sigmoids:
        source, result = sigmoid.inputs[0], sigmoid.outputs[0]
        # The constant has as many axes as x: ONNX Runtime adds a constant of shape (1,) to (N, A, 1) row by
        # row.
        ones = np.ones([1] * max(1, len(shapes.get(source, ()))), np.float32)
        one = graph.constant(ones, f"{result}.one")
        negated, power, total = (graph.new_name(f"{result}.{part}") for part in ("negated", "power", "total"))
        steps = [
            Node("Neg", [source], [negated]),
            Node("Exp", [negated], [power]),
            Node("Add", [power, one], [total]),
            Node("Div", [one, total], [result]),
        ]
        graph.swap(sigmoid, steps)


def _sensitive(graph: Graph) -> list[Node]:
    producers = graph.producers()
    roots = [node for node in graph.of_type("Pow") if 0 < (_exponent(graph, node) or 0) < 1]
    pending = [node.inputs[0] for node in (*graph.of_type("Sqrt"), *roots)]
    found: dict[int, Node] = {}
    while pending:
        node = producers.get(pending.pop())
        if node is None:
            continue
        if node.op == "Sigmoid":
            found[id(node)] = node
        elif node.op in CARRIERS:
            pending.extend(node.inputs)
    return list(found.values())


def _exponent(graph: Graph, power: Node) -> float | None:
    return scalar(graph.constants.get(power.inputs[1]))


SPELL_OUT_SIGMOID = Pass("spell_out_sigmoid", run)
