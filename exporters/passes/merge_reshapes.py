"""Merges a reshape with a reshape before it, or with a transpose that only moves axes of size 1."""

from __future__ import annotations

from pose_onnx.exporters.graph import Graph, Node, Shape, permutation
from pose_onnx.exporters.passes._runner import Pass


def run(graph: Graph) -> None:
    """See the module."""
    producers, shapes = graph.producers(), graph.shapes()
    for outer in graph.of_type("Reshape"):
        target = graph.constants.get(outer.inputs[1])
        if target is None or 0 in target:  # 0 means the size of the axis in the input
            continue
        source = outer.inputs[0]
        while (before := producers.get(source)) is not None and _hands_on(before, shapes):
            source = before.inputs[0]
        outer.inputs[0] = source


def _hands_on(node: Node, shapes: dict[str, Shape]) -> bool:
    """Return whether a node keeps the order of its data in memory."""
    return node.op == "Reshape" or (node.op == "Transpose" and _moves_units_only(node, shapes))


def _moves_units_only(node: Node, shapes: dict[str, Shape]) -> bool:
    shape = shapes.get(node.inputs[0])
    if shape is None:
        return False
    moved = [axis for axis in permutation(node, len(shape)) if shape[axis] != 1]
    return moved == sorted(moved)


MERGE_RESHAPES = Pass("merge_reshapes", run)
