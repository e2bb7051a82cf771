"""Merges two convolutions of one input whose results are added into one convolution.

This is the re-parameterisation of RepVGG (arXiv 2101.03697), with the factor f that PP-YOLOE+ has on a
branch: W = Wa + f * Wb with the smaller kernel padded with zeros, and likewise for the biases, computed in
float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Array, Graph, Node, scalar
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import bias_of, kernel_of

_IMAGE_RANK: Final = 4


@dataclass(frozen=True, slots=True)
class Branch:
    """A convolution that only its stride makes smaller, and the factor of its result."""

    conv: Node
    factor: float


def run(graph: Graph) -> None:
    """See the module."""
    while pairs := _pairs(graph):  # a merged convolution may itself be a branch
        for add, *branches in pairs:
            _merge(graph, add, branches)


def _merge(graph: Graph, add: Node, branches: Sequence[Branch]) -> None:
    name = add.outputs[0]
    weights = [b.factor * graph.constants[b.conv.inputs[1]].astype(np.float64) for b in branches]
    side = max(weight.shape[-1] for weight in weights)
    weight = sum(_enlarged(weight, side) for weight in weights)
    bias = sum(b.factor * _bias(graph, b.conv) for b in branches)
    largest = max(branches, key=lambda b: graph.constants[b.conv.inputs[1]].shape[-1]).conv
    add.op, add.attributes = "Conv", dict(largest.attributes)
    add.inputs = [
        largest.inputs[0],
        graph.constant(np.asarray(weight, np.float32), f"{name}.weight"),
        graph.constant(np.asarray(bias, np.float32), f"{name}.bias"),
    ]


def _pairs(graph: Graph) -> list[tuple[Node, Branch, Branch]]:
    producers, consumers, outputs = graph.producers(), graph.consumers(), graph.output_names()

    def branch(name: str) -> Branch | None:
        """Find the convolution that computes a tensor, if nothing else reads the tensors between."""
        factor = 1.0
        while name in producers and len(consumers[name]) == 1 and name not in outputs:
            node = producers[name]
            if node.op == "Conv":
                return Branch(node, factor) if _is_centred(graph, node) else None
            constants = [_factor(graph, n) for n in node.inputs]
            if node.op != "Mul" or constants.count(None) != 1:
                return None
            factor *= next(value for value in constants if value is not None)
            name = node.inputs[constants.index(None)]
        return None

    found = []
    for add in graph.of_type("Add"):
        first, second = map(branch, add.inputs)
        if first is not None and second is not None and _fit(first.conv, second.conv):
            found.append((add, first, second))
    return found


def _factor(graph: Graph, name: str) -> float | None:
    """Return the value of a one-number constant that has no more axes than the result of a convolution."""
    array = graph.constants.get(name)
    return scalar(array) if array is not None and array.size == 1 and array.ndim <= _IMAGE_RANK else None


def _is_centred(graph: Graph, conv: Node) -> bool:
    weight = kernel_of(graph, conv)
    if weight is None or len(set(weight.shape[2:])) != 1 or weight.shape[-1] % 2 == 0:
        return False
    dimensions = weight.ndim - 2
    pads = conv.attributes.get("pads", [0] * 2 * dimensions)
    dilations = conv.attributes.get("dilations", [1] * dimensions)
    return (
        set(pads) == {weight.shape[-1] // 2} and set(dilations) == {1} and "auto_pad" not in conv.attributes
    )


def _fit(first: Node, second: Node) -> bool:
    def key(conv: Node) -> tuple[str, tuple[int, ...], int]:
        strides = tuple(conv.attributes.get("strides", ()))
        return conv.inputs[0], strides if set(strides) != {1} else (), conv.attributes.get("group", 1)

    return first is not second and key(first) == key(second)


def _enlarged(weight: Array, side: int) -> Array:
    margin = (side - weight.shape[-1]) // 2
    return np.pad(weight, [(0, 0), (0, 0)] + [(margin, margin)] * (weight.ndim - 2))


def _bias(graph: Graph, conv: Node) -> Array:
    bias = bias_of(graph, conv)
    return np.zeros(graph.constants[conv.inputs[1]].shape[0]) if bias is None else bias.astype(np.float64)


MERGE_BRANCHES = Pass("merge_branches", run)
