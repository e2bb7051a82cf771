"""Stores kernels and matrices as float16; they are cast back to float32 when the model is loaded.

All computation remains float32; the file has half the size.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from onnx import TensorProto

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass

WEIGHTED: Final = ("Conv", "ConvTranspose", "DeformConv", "Gemm", "MatMul")
WEIGHT: Final = 1  # index of the weight among the inputs of these operators
HALF_MAX: Final = float(np.finfo(np.float16).max)


def run(graph: Graph) -> None:
    """See the module."""
    for name in _weights(graph):
        graph.constants[f"{name}.half"] = graph.constants.pop(name).astype(np.float16)
        graph.nodes.insert(0, Node("Cast", [f"{name}.half"], [name], {"to": TensorProto.FLOAT}))


def _weights(graph: Graph) -> list[str]:
    names = dict.fromkeys(node.inputs[WEIGHT] for node in graph.of_type(*WEIGHTED))
    return [
        n for n in names if graph.constants.get(n, np.zeros(0)).dtype == np.float32 and n in graph.constants
    ]


def in_range(graph: Graph) -> str:
    """Check that every weight fits into float16."""
    large = [n for n in _weights(graph) if np.abs(graph.constants[n]).max() > HALF_MAX]
    return f"weights beyond the range of float16: {large}" if large else ""


def none_left(graph: Graph) -> str:
    """Check that no float32 weight is left."""
    left = _weights(graph)
    return f"float32 weights are left: {left}" if left else ""


HALVE_WEIGHTS = Pass("halve_weights", run, requires=in_range, ensures=none_left, required=True)
