"""LayerNormalization, of which TFLite has no operator: means and arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import Extent

if TYPE_CHECKING:
    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder

_EPSILON: Final = 1e-5
"""ONNX's default."""


def lower_layer_normalization(node: Node, build: Builder) -> None:
    """LayerNormalization: (x - mean) / sqrt(variance + epsilon) over the last axes, scaled and shifted."""
    if any(build.uses[name] for name in node.outputs[1:] if name):
        raise UnsupportedOperatorError(node, "its mean or deviation is read; only its first output is known")
    view = build.view(node.inputs[0])
    rank, layout = view.extent.rank, view.layout
    axes = range(node.attributes.get("axis", -1) % rank, rank)
    if view.extent.free in axes:
        raise UnsupportedOperatorError(node, "it takes the mean over the batch, whose images stay apart")
    result = _standardise(node, build, build.place(view, layout), [layout.index(axis) for axis in axes])
    for operator, operand in zip((op.MUL, op.ADD), node.inputs[1:], strict=False):
        if operand:
            inputs = [result, build.add_operand(operand, rank, layout)]
            result = build.emit(operator, inputs, view.extent.permuted(layout), node.outputs[0])
    build.define(node, result, layout)


def _standardise(node: Node, build: Builder, tensor: int, places: list[int]) -> int:
    """Bring a tensor of the file to mean 0 and variance 1 over some of its axes."""
    name, whole = node.outputs[0], build.file.tensors[tensor].extent
    sizes = tuple(1 if place in places else size for place, size in enumerate(whole.sizes))
    single = Extent(sizes, whole.free)
    axes = build.file.add_constant("axes", np.asarray(sorted(places), np.int32))
    epsilon = np.array([node.attributes.get("epsilon", _EPSILON)], np.float32)

    def mean(of: int, part: str) -> int:
        return build.emit(op.MEAN, [of, axes], single, f"{name}/{part}", keepDims=True)

    centered = build.emit(op.SUB, [tensor, mean(tensor, "mean")], whole, f"{name}/centered")
    squares = build.emit(op.MUL, [centered, centered], whole, f"{name}/squares")
    inputs = [mean(squares, "variance"), build.file.add_constant(f"{name}/epsilon", epsilon)]
    variance = build.emit(op.ADD, inputs, single, f"{name}/raised")
    deviation = build.emit(op.SQRT, [variance], single, f"{name}/deviation")
    return build.emit(op.DIV, [centered, deviation], whole, f"{name}/standardised")
