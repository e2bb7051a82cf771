"""A reshape after another, or after a transpose that only moves axes of size 1, is one reshape."""

from __future__ import annotations

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass

Shapes = dict[str, tuple[int | str, ...]]


def run(graph: Graph) -> None:
    """See the module."""
    producers, shapes = graph.producers(), graph.shapes()
    for outer, inner in _pairs(graph, shapes):
        # The outer target is (-1, d1, ...), constant: what the data went through before is no matter.
        source = inner.inputs[0]
        while (before := producers.get(source)) is not None and _hands_on(before, shapes):
            source = before.inputs[0]
        outer.inputs[0] = source


def _pairs(graph: Graph, shapes: Shapes) -> list[tuple[Node, Node]]:
    producers = graph.producers()
    found = [(node, producers.get(node.inputs[0])) for node in graph.of_type("Reshape")]
    return [(node, inner) for node, inner in found if inner is not None and _hands_on(inner, shapes)]


def _hands_on(node: Node, shapes: Shapes) -> bool:
    """Whether a node leaves its data in the same order in memory."""
    return node.op == "Reshape" or (node.op == "Transpose" and _moves_units_only(node, shapes))


def _moves_units_only(node: Node, shapes: Shapes) -> bool:
    shape = shapes.get(node.inputs[0])
    if shape is None:
        return False
    moved = [axis for axis in node.attributes["perm"] if shape[axis] != 1]
    return moved == sorted(moved)


def none_left(graph: Graph) -> str:
    """Check that no such pair is left."""
    left = [outer.name for outer, _ in _pairs(graph, graph.shapes())]
    return f"reshapes after one another: {left}" if left else ""


MERGE_RESHAPES = Pass("merge_reshapes", run, ensures=none_left)
