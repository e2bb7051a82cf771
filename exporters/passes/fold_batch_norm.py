"""Folds a batch norm after a convolution into the convolution's weights and bias.

W' = W * g / sqrt(v + e), b' = (b - m) * g / sqrt(v + e) + B, computed in float64. A batch norm after another
operator stays.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import WEIGHT, bias_of, kernel_of, set_bias

DEFAULT_EPSILON: Final = 1e-5  # ONNX specification of BatchNormalization
FILTERS: Final = {"Conv": 0, "ConvTranspose": 1, "DeformConv": 0}
"""Axis of the filters in the kernel."""


def run(graph: Graph) -> None:
    """See the module."""
    producers, consumers = graph.producers(), graph.consumers()
    outputs = graph.output_names()
    for norm in graph.of_type("BatchNormalization"):
        source = norm.inputs[0]
        conv = producers.get(source)
        alone = len(consumers[source]) == 1 and source not in outputs
        if conv is None or not alone or not _folds(graph, conv, norm):
            continue
        _fold(graph, conv, norm)
        conv.outputs = [norm.outputs[0]]
        producers[norm.outputs[0]] = conv
        graph.drop([norm])


def _folds(graph: Graph, conv: Node, norm: Node) -> bool:
    if conv.op not in FILTERS or kernel_of(graph, conv) is None:
        return False
    known = graph.constants.keys() >= set(norm.inputs[1:]) and not norm.attributes.get("training_mode", 0)
    # With groups, the filters of a transposed convolution are not along a single axis.
    return known and (conv.op != "ConvTranspose" or conv.attributes.get("group", 1) == 1)


def _fold(graph: Graph, conv: Node, norm: Node) -> None:
    scale, shift, mean, variance = (graph.constants[n].astype(np.float64) for n in norm.inputs[1:5])
    factor = scale / np.sqrt(variance + norm.attributes.get("epsilon", DEFAULT_EPSILON))
    name, bias = conv.inputs[WEIGHT], bias_of(graph, conv)
    weight = graph.constants[name]
    sizes = [1] * weight.ndim
    sizes[FILTERS[conv.op]] = -1
    folded = weight * factor.reshape(sizes)
    shifted = ((0.0 if bias is None else bias.astype(np.float64)) - mean) * factor + shift
    conv.inputs[WEIGHT] = graph.constant(folded.astype(np.float32), f"{name}.folded")
    set_bias(conv, graph.constant(shifted.astype(np.float32), f"{name}.bias"))


FOLD_BATCH_NORM = Pass("fold_batch_norm", run)
