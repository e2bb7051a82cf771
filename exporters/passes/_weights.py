"""Reads and changes the parameters of convolutions, including transposed and deformable ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Array, Graph, Node

WEIGHT: Final = 1  # index of the kernel among the inputs of every convolution
BIAS: Final = 2  # index of the bias of Conv and ConvTranspose, which may be absent
_BIASES: Final[Mapping[str, int]] = MappingProxyType({"DeformConv": 3})
"""Index of the bias of other operators; here, offsets are before it."""


def kernel_of(graph: Graph, conv: Node) -> Array | None:
    """Return a convolution's kernel, (filters, channels of a group, ...); None if a parameter is computed."""
    names = [conv.input(index) for index in (WEIGHT, _bias_index(conv))]
    known = all(name in graph.constants for name in names if name)
    return graph.constants[names[0]] if known else None


def bias_of(graph: Graph, conv: Node) -> Array | None:
    """Return the bias of a convolution that has a constant kernel, (filters,); None if it has no bias."""
    name = conv.input(_bias_index(conv))
    return graph.constants[name] if name else None


def set_bias(conv: Node, name: str) -> None:
    """Set the bias of a convolution."""
    index = _bias_index(conv)
    conv.inputs += [""] * (index + 1 - len(conv.inputs))
    conv.inputs[index] = name


def _bias_index(conv: Node) -> int:
    return _BIASES.get(conv.op, BIAS)


def change_filters(graph: Graph, conv: Node, change: Callable[[Array], Array], hint: str) -> None:
    """Change a convolution's kernel and bias, whose first axes are its filters.

    Args:
        graph: the graph; it is changed.
        conv: a node of the graph, or one that will be added; its kernel is constant.
        change: makes the new array from the old one.
        hint: part of the names of the new constants.
    """
    conv.inputs[WEIGHT:] = [
        graph.constant(change(graph.constants[name]), f"{name}.{hint}")
        for name in conv.inputs[WEIGHT:]
        if name
    ]


def scale(graph: Graph, conv: Node, factor: int) -> None:
    """Multiply a convolution's result by a factor."""
    if factor != 1:
        change_filters(graph, conv, lambda array: array * np.float32(factor), f"times{factor}")


def is_depthwise(graph: Graph, conv: Node) -> bool:
    """Return whether a convolution has a constant kernel that filters every channel separately."""
    kernel, group = kernel_of(graph, conv), conv.attributes.get("group", 1)
    return kernel is not None and bool(kernel.shape[:2] == (group, 1) and group > 1)
