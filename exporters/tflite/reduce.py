"""Reductions over axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import Extent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder
    from pose_onnx.exporters.tflite._operators import Operator


def lower_reduce(operator: Operator) -> Callable[[Node, Builder], None]:
    """Make the lowering of a reduction; its axes are an attribute before opset 18 (ReduceSum: 13)."""

    def lower(node: Node, build: Builder) -> None:
        view = build.view(node.inputs[0])
        rank, layout = view.extent.rank, view.layout
        given = build.parameter(node, "axes", 1)
        if given is None and node.attributes.get("noop_with_empty_axes", 0):
            raise UnsupportedOperatorError(node, "it reduces no axis (noop_with_empty_axes)")
        axes = np.arange(rank) if given is None or given.size == 0 else given.reshape(-1) % rank
        if view.extent.free in axes:
            raise UnsupportedOperatorError(node, "it reduces over the batch, whose images stay apart")
        places = np.asarray(sorted(layout.index(axis) for axis in axes), np.int32)
        sizes = tuple(1 if axis in axes else size for axis, size in enumerate(view.extent.sizes))
        inputs = [build.place(view, layout), build.file.add_constant("axes", places)]
        result = Extent(sizes, view.extent.free).permuted(layout)
        tensor = build.emit(operator, inputs, result, node.outputs[0], keepDims=True)
        # If keepdims is 0, the removed axes have length one, so only the numbering of the axes changes.
        kept = [axis for axis in range(rank) if build.extent(node).rank == rank or axis not in axes]
        build.define(node, tensor, [kept.index(axis) for axis in layout if axis in kept])

    return lower
