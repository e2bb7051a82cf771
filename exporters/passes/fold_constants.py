"""Computes nodes that depend on no input."""

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


FOLD_CONSTANTS = Pass("fold_constants", run)
