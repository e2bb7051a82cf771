"""Batch norm after a convolution goes into the convolution's weights and bias.

W' = W * g / sqrt(v + e), b' = (b - m) * g / sqrt(v + e) + B, computed in float64.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass, no_node_of

DEFAULT_EPSILON: Final = 1e-5  # ONNX specification of BatchNormalization
BIAS: Final = 2  # index of Conv's bias among its inputs


def run(graph: Graph) -> None:
    """See the module."""
    producers, consumers = graph.producers(), graph.consumers()
    outputs = graph.output_names()
    for norm in graph.of_type("BatchNormalization"):
        source = norm.inputs[0]
        conv = producers.get(source)
        if conv is None or conv.op != "Conv" or len(consumers[source]) > 1 or source in outputs:
            continue
        _fold(graph, conv, norm)
        conv.outputs = [norm.outputs[0]]
        producers[norm.outputs[0]] = conv
        graph.drop([norm])


def _fold(graph: Graph, conv: Node, norm: Node) -> None:
    scale, shift, mean, variance = (graph.constants[n].astype(np.float64) for n in norm.inputs[1:5])
    factor = scale / np.sqrt(variance + norm.attributes.get("epsilon", DEFAULT_EPSILON))
    weight = graph.constants[conv.inputs[1]]
    bias = graph.constants[conv.inputs[BIAS]].astype(np.float64) if len(conv.inputs) > BIAS else 0.0
    folded = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    name = conv.inputs[1]
    conv.inputs = [
        conv.inputs[0],
        graph.constant(folded.astype(np.float32), f"{name}.folded"),
        graph.constant(((bias - mean) * factor + shift).astype(np.float32), f"{name}.bias"),
    ]


FOLD_BATCH_NORM = Pass("fold_batch_norm", run, ensures=no_node_of("BatchNormalization"))
