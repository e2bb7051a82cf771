"""Makes pointwise convolutions of few channels one-dimensional where they are next to channel-moving nodes.

ONNX Runtime computes a two-dimensional convolution on blocks of 16 channels (8 without AVX-512), so that 20
channels cost as much as 32. It computes a one-dimensional convolution as a plain matrix product, without such
padding. If there is little padding, blocks are faster.
"""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node, Shape
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import kernel_of

BLOCK: Final = 16  # channels
WASTE: Final = 1.3
"""Smallest ratio of the products computed in blocks to the products needed.

Measured with ONNX Runtime 1.31 on one AVX-512 core, time in blocks divided by time as a matrix product: 1.7
with 20 channels (ratio 2.6), 1.1 with 40 (1.4), 0.9 with 80 (1.0).
"""
_MOVERS: Final = frozenset({"Gather", "Concat", "Split", "Reshape", "Transpose"})
_IMAGE_RANK: Final = 4


def run(graph: Graph) -> None:
    """See the module."""
    sizes = graph.shapes()
    for conv in _candidates(graph):
        shape = sizes.get(conv.outputs[0], ())
        if len(shape) == _IMAGE_RANK and all(isinstance(size, int) for size in shape[2:]):
            _flatten(graph, conv, shape)


def _candidates(graph: Graph) -> list[Node]:
    producers, consumers, outputs = graph.producers(), graph.consumers(), graph.output_names()

    def moved(conv: Node) -> bool:
        """Return whether a neighbour moves channels, so that a tensor is not stored in blocks anyway."""
        source, last = producers.get(conv.inputs[0]), _rectifier(graph, conv) or conv
        readers = consumers.get(last.outputs[0], [])
        read = bool(readers) and all(node.op in _MOVERS for node in readers)
        return (read and last.outputs[0] not in outputs) or (source is not None and source.op in _MOVERS)

    return [conv for conv in graph.of_type("Conv") if _is_wasteful(graph, conv) and moved(conv)]


def _is_wasteful(graph: Graph, conv: Node) -> bool:
    kernel = kernel_of(graph, conv)
    shape = () if kernel is None else kernel.shape
    plain = len(shape) == _IMAGE_RANK and prod(shape[2:]) == 1 and conv.attributes.get("group", 1) == 1
    still = set(conv.attributes.get("strides", [1])) == {1} and set(conv.attributes.get("pads", [0])) == {0}
    padded = [-(-channels // BLOCK) * BLOCK for channels in shape[:2]]
    # With fewer filters than a block, reading the input elsewhere costs more than is gained.
    full = all(channels >= BLOCK for channels in shape[:2])
    return plain and still and full and prod(padded) >= WASTE * prod(shape[:2])


def _rectifier(graph: Graph, conv: Node) -> Node | None:
    readers = graph.consumers().get(conv.outputs[0], [])
    alone = len(readers) == 1 and conv.outputs[0] not in graph.output_names()
    return readers[0] if alone and readers[0].op == "Relu" else None


def _flatten(graph: Graph, conv: Node, shape: Shape) -> None:
    height, width = int(shape[2]), int(shape[3])
    weight = graph.constants[conv.inputs[1]]
    last = _rectifier(graph, conv) or conv
    name = last.outputs[0]
    flat = graph.constant(np.array([-1, weight.shape[1], height * width]), f"{name}.flat_shape")
    back = graph.constant(np.array([-1, weight.shape[0], height, width]), f"{name}.shape")
    before = Node("Reshape", [conv.inputs[0], flat], [graph.new_name(f"{name}.flat_input")])
    after = Node("Reshape", [graph.new_name(f"{name}.flat"), back], [name])
    conv.inputs[:2] = [before.outputs[0], graph.constant(weight[..., 0], f"{conv.inputs[1]}.flat")]
    conv.attributes = {}
    last.outputs = after.inputs[:1]
    graph.swap(conv, [before, conv])
    graph.swap(last, [last, after])


FLATTEN_POINTWISE = Pass("flatten_pointwise", run)
