"""Nodes that change nothing go: times 1, plus 0, casts and reshapes to what is there already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pose_onnx.exporters.graph import Graph, Node, scalar
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes.inline_constants import bypass


def run(graph: Graph) -> None:
    """See the module."""
    bypass(graph, _no_ops(graph))


def _no_ops(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes if n.op in NO_OPS and NO_OPS[n.op](graph, n)]


def _neutral(value: float) -> Callable[[Graph, Node], bool]:
    """Second operand is `value` everywhere, and too small to broadcast the first."""

    def check(graph: Graph, node: Node) -> bool:
        operand = graph.constants.get(node.inputs[1])
        return scalar(operand) == value and operand is not None and operand.size <= _FEW

    return check


def _all_ones(graph: Graph, node: Node) -> bool:
    return scalar(graph.constants.get(node.inputs[-1])) == 1


def _in_order(_graph: Graph, node: Node) -> bool:
    permutation = node.attributes["perm"]
    return list(permutation) == list(range(len(permutation)))


_FEW: Final = 4
"""Numbers in one (1, 1, 4) scale factor: what Paddle divides boxes by. It never broadcasts them."""

NO_OPS: Final[dict[str, Callable[[Graph, Node], bool]]] = {
    "Mul": _neutral(1.0),
    "Div": _neutral(1.0),
    "Add": _neutral(0.0),
    "Sub": _neutral(0.0),
    "Resize": _all_ones,
    "Transpose": _in_order,
    "Concat": lambda _graph, node: len(node.inputs) == 1,
    "Dropout": lambda _graph, _node: True,
}


def none_left(graph: Graph) -> str:
    """Check that no such node is left."""
    left = [n.name for n in _no_ops(graph)]
    return f"nodes without effect: {left}" if left else ""


REMOVE_NO_OPS = Pass("remove_no_ops", run, ensures=none_left)
