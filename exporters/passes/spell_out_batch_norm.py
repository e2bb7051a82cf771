"""Replaces a batch norm that cannot be folded into a convolution by a product and a sum.

x * f + (B - m * f) with f = g / sqrt(v + e); the constants are computed in float64.
"""

from __future__ import annotations

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes.fold_batch_norm import DEFAULT_EPSILON


def run(graph: Graph) -> None:
    """See the module."""
    for norm, rank in _found(graph):
        _spell_out(graph, norm, rank=rank)


def _found(graph: Graph) -> list[tuple[Node, int]]:
    """Return the batch norms to replace, with the number of axes of their inputs."""
    norms = [
        norm
        for norm in graph.of_type("BatchNormalization")
        if graph.constants.keys() >= set(norm.inputs[1:]) and not norm.attributes.get("training_mode", 0)
    ]
    shapes = graph.shapes() if norms else {}
    return [(norm, len(shapes[norm.inputs[0]])) for norm in norms if norm.inputs[0] in shapes]


def _spell_out(graph: Graph, norm: Node, *, rank: int) -> None:
    scale, shift, mean, variance = (graph.constants[n].astype(np.float64) for n in norm.inputs[1:5])
    factor = scale / np.sqrt(variance + norm.attributes.get("epsilon", DEFAULT_EPSILON))
    name, axes = norm.outputs[0], (-1, *[1] * (rank - 2))  # the channels are the second axis
    factors = graph.constant(factor.reshape(axes).astype(np.float32), f"{name}.factor")
    offsets = graph.constant((shift - mean * factor).reshape(axes).astype(np.float32), f"{name}.offset")
    scaled = Node("Mul", [norm.inputs[0], factors], [f"{name}.scaled"])
    graph.swap(norm, [scaled, Node("Add", [*scaled.outputs, offsets], [name])])


def none_left(graph: Graph) -> str:
    """Check that no such batch norm is left."""
    left = [norm.name for norm, _ in _found(graph)]
    return f"batch norms with constant parameters are left: {left}" if left else ""


SPELL_OUT_BATCH_NORM = Pass("spell_out_batch_norm", run, ensures=none_left)
