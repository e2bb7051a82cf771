"""A constant with one value gets as many axes as what it is combined with.

It broadcasts the same. ONNX Runtime adds a constant of shape (1, 1, 1) to scores (N, A, 1) in one go, but one
of shape (1,) row by row: 50 times as slow, and four times in PicoDet's scores.
"""

from __future__ import annotations

from typing import Final

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass

_BROADCASTING: Final = ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min")


def run(graph: Graph) -> None:
    """See the module."""
    for node, place, rank in _found(graph):
        name = node.inputs[place]
        node.inputs[place] = graph.constant(graph.constants[name].reshape([1] * rank), f"{name}.rank{rank}")


def _found(graph: Graph) -> list[tuple[Node, int, int]]:
    """Nodes, each with the index of its scalar, and the rank of its other operand."""
    shapes = graph.shapes()
    return [
        (node, place, rank)
        for node in graph.of_type(*_BROADCASTING)
        for place, name in enumerate(node.inputs)
        if name in graph.constants and graph.constants[name].size == 1
        for rank in [len(shapes.get(node.outputs[0], ()))]
        if graph.constants[name].ndim < rank
    ]


def none_left(graph: Graph) -> str:
    """Check that no such constant is left."""
    left = [node.name for node, *_ in _found(graph)]
    return f"scalars of fewer axes: {left}" if left else ""


RANK_SCALARS = Pass("rank_scalars", run, ensures=none_left)
