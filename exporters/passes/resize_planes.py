"""Pixels are repeated plane by plane where the result is added to something.

ONNX Runtime enlarges a convolution's result in blocks of channels, adds it to what comes from elsewhere in
five axes, and reorders the large result. As a row of planes (N * C, 1, H, W) it is reordered while small.
"""

from __future__ import annotations

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes.merge_sums import enlargement


def run(graph: Graph) -> None:
    """See the module."""
    shapes = graph.shapes()
    for resize in _found(graph):
        name, source = resize.outputs[0], resize.inputs[0]
        planes = graph.constant(np.array([-1, 1, *map(int, shapes[source][2:])]), f"{name}.planes_shape")
        back = graph.constant(np.array([-1, *map(int, shapes[name][1:])]), f"{name}.shape")
        before = Node("Reshape", [source, planes], [f"{name}.planes"])
        resize.inputs[0], resize.outputs = before.outputs[0], [f"{name}.large"]
        graph.swap(resize, [before, resize, Node("Reshape", [resize.outputs[0], back], [name])])


def _found(graph: Graph) -> list[Node]:
    consumers = graph.consumers()
    readers = {id(node): consumers.get(node.outputs[0], []) for node in graph.of_type("Resize")}
    return [
        node
        for node in graph.of_type("Resize")
        if enlargement(graph, node) and any(reader.op == "Add" for reader in readers[id(node)])
    ]


def none_left(graph: Graph) -> str:
    """Check that no such resize is left."""
    left = [node.name for node in _found(graph)]
    return f"resizes in blocks: {left}" if left else ""


RESIZE_PLANES = Pass("resize_planes", run, ensures=none_left)
