"""Matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import Extent, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder

_MATRIX_RANK: Final = 2
# TFLite's BATCH_MATMUL supports up to this many axes.
_BATCH_MATMUL_RANK: Final = 5


def lower_matmul(node: Node, build: Builder) -> None:
    """MatMul: FULLY_CONNECTED with a constant matrix on the right, else BATCH_MATMUL."""
    right = build.graph.constants.get(node.inputs[1])
    if right is not None and right.ndim <= _MATRIX_RANK:
        matrix = right.reshape(len(right), -1)
        bias = np.zeros(matrix.shape[1], np.float32)
        _fully_connected(node, build, build.view(node.inputs[0]), matrix, bias)
    else:
        _batch_matmul(node, build)


def _fully_connected(
    node: Node, build: Builder, view: View, matrix: NDArray[Any], bias: NDArray[Any]
) -> None:
    """Multiply the last axis of a view by a matrix (in, out)."""
    axis = view.extent.rank - 1
    rows = build.rows(view, axis)
    inputs = [
        rows,
        build.add_weight(node.inputs[1], np.ascontiguousarray(matrix.T)),
        build.file.add_constant(f"{node.outputs[0]}/bias", bias.astype(np.float32)),
    ]
    left = build.file.tensors[rows].extent
    extent = Extent((left.sizes[0], matrix.shape[1]), left.free)
    tensor = build.emit(op.FULLY_CONNECTED, inputs, extent, node.outputs[0])
    layout = [other for other in view.order if other != axis]
    if build.extent(node).rank == view.extent.rank:
        layout.append(axis)
    build.define(node, tensor, layout)


def _batch_matmul(node: Node, build: Builder) -> None:
    extent = build.extent(node)
    views = [build.view(name) for name in node.inputs]
    ranks = {view.extent.rank for view in views} | {extent.rank}
    if len(ranks) != 1 or not _MATRIX_RANK <= extent.rank <= _BATCH_MATMUL_RANK:
        raise UnsupportedOperatorError(
            node,
            f"its inputs have {[view.extent.rank for view in views]} axes, expected equally many, 2 to 5",
        )
    identity = tuple(range(extent.rank))
    swapped = (*identity[:-2], identity[-1], identity[-2])
    # A matrix that is transposed in the file is read as such instead of being transposed back.
    adjoint = [not view.lies_in(identity) and view.lies_in(swapped) for view in views]
    tensors = [
        build.place(view, swapped if turned else identity)
        for view, turned in zip(views, adjoint, strict=True)
    ]
    build.produce(node, op.BATCH_MATMUL, tensors, identity, adjX=adjoint[0], adjY=adjoint[1])


def lower_gemm(node: Node, build: Builder) -> None:
    """Gemm: FULLY_CONNECTED with a constant matrix; alpha and beta are folded into the constants."""
    matrix = build.constant(node, 1) * np.float32(node.attributes.get("alpha", 1.0))
    if node.attributes.get("transB", 0):
        matrix = matrix.T
    bias = np.zeros(1, np.float32)
    if node.input(2):
        bias = build.constant(node, 2) * np.float32(node.attributes.get("beta", 1.0))
    if bias.ndim == _MATRIX_RANK and bias.shape[0] != 1:
        raise UnsupportedOperatorError(
            node, f"its C has the shape {bias.shape}, expected one value per column"
        )
    view = build.view(node.inputs[0])
    if node.attributes.get("transA", 0):
        view = view.transposed(view.name, (1, 0))
    _fully_connected(node, build, view, matrix, np.broadcast_to(bias.reshape(-1), matrix.shape[1:]))
