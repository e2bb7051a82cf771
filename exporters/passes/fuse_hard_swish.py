"""x * HardSigmoid(x) with Paddle's constants becomes HardSwish (an operator since opset 14)."""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass

SLOPE: Final = 1 / 6  # HardSwish(x) = x * max(0, min(1, x / 6 + 0.5)), ONNX specification
OFFSET: Final = 0.5


def run(graph: Graph) -> None:
    """See the module."""
    for gate, product in _pairs(graph):
        product.op, product.inputs, product.attributes = "HardSwish", [gate.inputs[0]], {}


def _pairs(graph: Graph) -> list[tuple[Node, Node]]:
    consumers = graph.consumers()
    return [
        (gate, product)
        for gate in graph.of_type("HardSigmoid")
        if np.allclose([gate.attributes.get("alpha", 0.2), gate.attributes.get("beta", 0.5)], [SLOPE, OFFSET])
        for product in consumers.get(gate.outputs[0], [])
        if product.op == "Mul" and sorted(product.inputs) == sorted([gate.inputs[0], gate.outputs[0]])
    ]


def none_left(graph: Graph) -> str:
    """Check that no pair is left."""
    left = [product.name for _, product in _pairs(graph)]
    return f"unfused hard-swish: {left}" if left else ""


FUSE_HARD_SWISH = Pass("fuse_hard_swish", run, ensures=none_left)
