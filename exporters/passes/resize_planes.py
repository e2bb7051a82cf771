"""Pixels are repeated plane by plane where the result is added to something that lies in planes.

ONNX Runtime enlarges a convolution's result in blocks of channels, and reorders it afterwards, at its larger
size. Seen as a row of planes (N * C, 1, H, W) it is reordered before, and small.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes.merge_sums import enlargement

_MOVERS: Final = frozenset({"Concat", "Gather"})


def run(graph: Graph) -> None:
    """See the module."""
    shapes = graph.shapes()
    for resize in _found(graph):
        name, source = resize.outputs[0], resize.inputs[0]
        factors = enlargement(graph, resize) or (1, 1)
        small = graph.constant(np.array([-1, 1, *map(int, shapes[source][2:])]), f"{name}.planes_shape")
        back = graph.constant(np.array([-1, *map(int, shapes[name][1:])]), f"{name}.shape")
        scales = graph.constant(np.array([1, 1, *factors], np.float32), f"{name}.factors")
        before = Node("Reshape", [source, small], [f"{name}.planes"])
        resize.inputs, resize.outputs = [before.outputs[0], "", scales], [f"{name}.large"]
        graph.swap(resize, [before, resize, Node("Reshape", [resize.outputs[0], back], [name])])


def _found(graph: Graph) -> list[Node]:
    producers, consumers = graph.producers(), graph.consumers()
    return [
        resize
        for resize in graph.of_type("Resize")
        if enlargement(graph, resize)
        and any(
            name in producers and producers[name].op in _MOVERS
            for add in consumers.get(resize.outputs[0], [])
            for name in add.inputs
            if add.op == "Add"
        )
    ]


def none_left(graph: Graph) -> str:
    """Check that no such resize is left."""
    left = [resize.name for resize in _found(graph)]
    return f"resizes in blocks: {left}" if left else ""


RESIZE_PLANES = Pass("resize_planes", run, ensures=none_left)
