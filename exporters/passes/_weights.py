"""Reading and changing the parameters of convolutions and transposed ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Array, Graph, Node

WEIGHT: Final = 1  # index of the kernel among the inputs of Conv and ConvTranspose
BIAS: Final = 2  # index of their bias, which may be absent


def kernel_of(graph: Graph, conv: Node) -> Array | None:
    """The kernel of a convolution, (filters, channels of a group, ...); None if a parameter is computed."""
    known = all(name in graph.constants for name in conv.inputs[WEIGHT:] if name)
    return graph.constants[conv.inputs[WEIGHT]] if known else None


def bias_of(graph: Graph, conv: Node) -> Array | None:
    """The bias of a convolution with a kernel, (filters,); None if it has none."""
    return graph.constants[conv.inputs[BIAS]] if any(conv.inputs[BIAS:]) else None


def change_filters(graph: Graph, conv: Node, change: Callable[[Array], Array], hint: str) -> None:
    """Change a convolution's kernel and bias, whose first axes are its filters.

    Args:
        graph: it is changed.
        conv: a node of it, or one that will be; it has a kernel.
        change: makes the new array from the old one.
        hint: for the names of the new constants.
    """
    conv.inputs[WEIGHT:] = [
        graph.constant(change(graph.constants[name]), f"{name}.{hint}")
        for name in conv.inputs[WEIGHT:]
        if name
    ]


def scale(graph: Graph, conv: Node, factor: int) -> None:
    """Make a convolution's result so many times as large."""
    if factor != 1:
        change_filters(graph, conv, lambda array: array * np.float32(factor), f"times{factor}")


def is_depthwise(graph: Graph, conv: Node) -> bool:
    """Whether a convolution has a kernel that filters every channel by itself."""
    kernel, group = kernel_of(graph, conv), conv.attributes.get("group", 1)
    return kernel is not None and bool(kernel.shape[:2] == (group, 1) and group > 1)
