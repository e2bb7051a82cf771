"""Changing the parameters of a convolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pose_onnx.exporters.graph import Array, Graph, Node
from pose_onnx.exporters.passes.fold_batch_norm import BIAS


def change_filters(graph: Graph, conv: Node, change: Callable[[Array], Array], hint: str) -> None:
    """Change a convolution's kernel and bias, whose first axes are its filters.

    Args:
        graph: it is changed.
        conv: a node of it, or one that will be.
        change: makes the new array from the old one.
        hint: for the names of the new constants.
    """
    conv.inputs[1:] = [
        graph.constant(change(graph.constants[name]), f"{name}.{hint}") for name in conv.inputs[1 : BIAS + 1]
    ]


def scale(graph: Graph, conv: Node, factor: int) -> None:
    """Make a convolution's result so many times as large."""
    if factor != 1:
        change_filters(graph, conv, lambda array: array * np.float32(factor), f"times{factor}")
