"""Nodes that depend on no input are computed now."""

from __future__ import annotations

from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.passes._evaluate import evaluate
from pose_onnx.exporters.passes._runner import Pass


def run(graph: Graph) -> None:
    """See the module."""
    known = set(graph.constants) | {""}
    foldable = []
    for node in graph.nodes:
        if known.issuperset(node.inputs):
            known.update(node.outputs)
            foldable.append(node)
    if not foldable:
        return
    names = [name for node in foldable for name in node.outputs if name]
    graph.constants.update(evaluate(graph, foldable, names, feeds={}))
    graph.drop(foldable)


def nothing_foldable(graph: Graph) -> str:
    """Check that every node depends on an input."""
    known = set(graph.constants) | {""}
    left = [node.name for node in graph.nodes if known.issuperset(node.inputs)]
    return f"nodes of constants are left: {left[:5]}" if left else ""


FOLD_CONSTANTS = Pass("fold_constants", run, ensures=nothing_foldable)
