"""Folds a constant that is added to each channel before a batch norm into the convolution's bias.

paddle2onnx writes every bias as such an addition. The batch norm can then be folded.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import WEIGHT, bias_of, kernel_of, set_bias

_CONVS: Final = ("Conv", "DeformConv")


def run(graph: Graph) -> None:
    """See the module."""
    producers, consumers = graph.producers(), graph.consumers()
    outputs = graph.output_names()
    for norm in graph.of_type("BatchNormalization"):
        add = producers.get(norm.inputs[0])
        if add is None or add.op != "Add":
            continue
        for source, name in (add.inputs, add.inputs[::-1]):
            conv = producers.get(source)
            alone = len(consumers.get(source, ())) == len(consumers[add.outputs[0]]) == 1
            if conv is None or not alone or outputs & {source, *add.outputs} or not _takes(graph, conv, name):
                continue
            bias = graph.constants[name].reshape(-1).astype(np.float64)
            before = bias_of(graph, conv)
            total = (bias if before is None else bias + before).astype(np.float32)
            set_bias(conv, graph.constant(total, f"{name}.bias"))
            conv.outputs = [add.outputs[0]]
            producers[add.outputs[0]] = conv
            graph.drop([add])
            break


def _takes(graph: Graph, conv: Node, name: str) -> bool:
    if conv.op not in _CONVS or kernel_of(graph, conv) is None or name not in graph.constants:
        return False
    filters = len(graph.constants[conv.inputs[WEIGHT]])
    return graph.constants[name].shape in ((1, filters, 1, 1), (filters, 1, 1))


FOLD_BIAS = Pass("fold_bias", run)
