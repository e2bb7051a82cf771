"""Runs of channels that are gathered one by one, and together are all of a tensor, are split off at once."""

from __future__ import annotations

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes.gather_channels import CHANNELS, channel_counts


def run(graph: Graph) -> None:
    """See the module."""
    for gathers in _found(graph):
        sizes = [graph.constants[node.inputs[1]].size for node in gathers]
        source, names = gathers[0].inputs[0], [node.outputs[0] for node in gathers]
        lengths = graph.constant(np.array(sizes), f"{source}.lengths")
        first = min(gathers, key=lambda node: next(i for i, n in enumerate(graph.nodes) if n is node))
        graph.swap(first, [Node("Split", [source, lengths], names, {"axis": CHANNELS})])
        graph.drop(gathers)


def _found(graph: Graph) -> list[list[Node]]:
    """Gathers of one tensor, in the order of their runs."""
    sizes, by_source = channel_counts(graph), dict[str, list[Node]]()
    for node in graph.of_type("Gather"):
        if node.attributes.get("axis", 0) == CHANNELS and node.inputs[1] in graph.constants:
            by_source.setdefault(node.inputs[0], []).append(node)
    found = []
    for source, gathers in by_source.items():
        runs = [graph.constants[node.inputs[1]] for node in gathers]
        ordered = sorted(zip(runs, gathers, strict=True), key=lambda pair: int(pair[0].flat[0]))
        joined = np.concatenate([run.reshape(-1) for run, _ in ordered])
        if len(gathers) > 1 and np.array_equal(joined, np.arange(sizes.get(source, 0))):
            found.append([node for _, node in ordered])
    return found


def none_left(graph: Graph) -> str:
    """Check that no such runs are left."""
    left = [gathers[0].inputs[0] for gathers in _found(graph)]
    return f"tensors gathered run by run: {left}" if left else ""


JOIN_GATHERS = Pass("join_gathers", run, ensures=none_left)
