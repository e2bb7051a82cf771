"""Activation functions. Some can be fused into the operator before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import View
from pose_onnx.exporters.tflite.elementwise import common_layout, write_unary
from pose_onnx.exporters.tflite.shape import lower_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder
    from pose_onnx.exporters.tflite._operators import Operator

_Activation: Final = schema.ActivationFunctionType
# Bounds for which TFLite has an operator, and a value of the fused activation field.
_CLAMPS: Final[Mapping[tuple[float, float], tuple[Operator, int]]] = {
    (0.0, np.inf): (op.RELU, _Activation.RELU),
    (0.0, 6.0): (op.RELU6, _Activation.RELU6),
    (-1.0, 1.0): (op.RELU_N1_TO_1, _Activation.RELU_N1_TO_1),
}
_RELU6_TOP: Final = 6.0
# float32 has seven digits of a slope such as 1/6, so two ways of writing it agree that well.
_SLOPE_TOLERANCE: Final = 1e-6
# Defaults of the ONNX standard.
_HARD_SIGMOID: Final = {"alpha": 0.2, "beta": 0.5}
_LEAKY_SLOPE: Final = 0.01
_PER_AXIS_SOFTMAX_OPSET: Final = 13
_SOFTMAX_RANK: Final = 4


def _clamp(node: Node, build: Builder, low: float, high: float) -> None:
    view, name = build.view(node.inputs[0]), node.outputs[0]
    if (low, high) in _CLAMPS:
        operator, activation = _CLAMPS[low, high]
        if build.fuse(view, activation, name):
            build.alias(View(name, view.tensor, view.extent, view.order))
        else:
            write_unary(node, build, operator, view)
        return
    if (low, high) == (-np.inf, np.inf):
        lower_identity(node, build)
        return
    extent = build.file.tensors[view.tensor].extent
    tensor = view.tensor
    if low > -np.inf:
        bound = build.file.add_constant("low", np.asarray([low], np.float32))
        tensor = build.emit(op.MAXIMUM, [tensor, bound], extent, f"{name}/low" if high < np.inf else name)
    if high < np.inf:
        bound = build.file.add_constant("high", np.asarray([high], np.float32))
        tensor = build.emit(op.MINIMUM, [tensor, bound], extent, name)
    build.define(node, tensor, view.order)


def lower_relu(node: Node, build: Builder) -> None:
    """Relu: fused, or RELU."""
    _clamp(node, build, 0.0, np.inf)


def lower_clip(node: Node, build: Builder) -> None:
    """Clip: fused, one of TFLite's own ranges, or MAXIMUM and MINIMUM."""
    bounds = [build.parameter(node, name, index) for index, name in ((1, "min"), (2, "max"))]
    low, high = (
        default if bound is None else float(bound.reshape(-1)[0])
        for bound, default in zip(bounds, (-np.inf, np.inf), strict=True)
    )
    _clamp(node, build, low, np.inf if high >= np.finfo(np.float32).max else high)


def lower_hard_sigmoid(node: Node, build: Builder) -> None:
    """HardSigmoid, max(0, min(1, alpha x + beta)): an ADD that ends in RELU6, and a MUL.

    With an alpha of 1/6 it is relu6(x + beta / alpha) / 6; for another slope, x is scaled first.
    """
    alpha, beta = (node.attributes.get(name, default) for name, default in _HARD_SIGMOID.items())
    view, name = build.view(node.inputs[0]), node.outputs[0]
    extent = build.file.tensors[view.tensor].extent
    tensor = view.tensor

    def number(value: float) -> int:
        return build.file.add_constant(f"{name}/constant", np.asarray([value], np.float32))

    if abs(alpha * _RELU6_TOP - 1) > _SLOPE_TOLERANCE:
        tensor = build.emit(op.MUL, [tensor, number(alpha * _RELU6_TOP)], extent, f"{name}/scaled")
    inputs = [tensor, number(beta * _RELU6_TOP)]
    tensor = build.emit(op.ADD, inputs, extent, f"{name}/six", fusedActivationFunction=_Activation.RELU6)
    tensor = build.emit(op.MUL, [tensor, number(1 / _RELU6_TOP)], extent, name)
    build.define(node, tensor, view.order)


def lower_leaky_relu(node: Node, build: Builder) -> None:
    """LeakyRelu: LEAKY_RELU."""
    alpha = node.attributes.get("alpha", _LEAKY_SLOPE)
    write_unary(node, build, op.LEAKY_RELU, build.view(node.inputs[0]), alpha=alpha)


def lower_elu(node: Node, build: Builder) -> None:
    """Elu: ELU, which only has an alpha of 1."""
    if node.attributes.get("alpha", 1.0) != 1.0:
        raise UnsupportedOperatorError(node, f"its alpha is {node.attributes['alpha']}, only 1 is known")
    write_unary(node, build, op.ELU, build.view(node.inputs[0]))


def lower_softplus(node: Node, build: Builder) -> None:
    """Softplus, log(1 + exp(x)): relu(x) - log(sigmoid(|x|)), in which no value overflows."""
    view, name = build.view(node.inputs[0]), node.outputs[0]
    extent = build.file.tensors[view.tensor].extent
    tensor = view.tensor
    for operator in (op.ABS, op.LOGISTIC, op.LOG):
        tensor = build.emit(operator, [tensor], extent, f"{name}/bend")
    above = build.emit(op.RELU, [view.tensor], extent, f"{name}/above")
    build.define(node, build.emit(op.SUB, [above, tensor], extent, name), view.order)


def lower_prelu(node: Node, build: Builder) -> None:
    """PRelu: PRELU with constant slopes, or LEAKY_RELU if all channels have the same slope.

    TFLite 2.14 computes PRELU wrongly with a single slope.
    """
    slope = build.constant(node, 1)
    if slope.size == 1:
        write_unary(node, build, op.LEAKY_RELU, build.view(node.inputs[0]), alpha=float(slope.reshape(-1)[0]))
        return
    rank, layout = common_layout(node, build)
    inputs = [build.add_operand(name, rank, layout) for name in node.inputs]
    build.produce(node, op.PRELU, inputs, layout)


def lower_softmax(node: Node, build: Builder) -> None:
    """Softmax: SOFTMAX over the last axis in the file, which is the channels in NHWC."""
    view = build.view(node.inputs[0])
    old = build.graph.opsets[""] < _PER_AXIS_SOFTMAX_OPSET
    axis = node.attributes.get("axis", 1 if old else -1) % view.extent.rank
    if old and axis != view.extent.rank - 1:
        raise UnsupportedOperatorError(node, f"before opset 13 it flattens from axis {axis} on; use opset 17")
    others = tuple(other for other in view.layout if other != axis)
    layout = (*others, axis)
    if view.extent.rank > _SOFTMAX_RANK:
        matrix = build.rows(view, axis)
        extent = build.file.tensors[matrix].extent
        build.define(node, build.emit(op.SOFTMAX, [matrix], extent, node.outputs[0], beta=1.0), layout)
    else:
        build.produce(node, op.SOFTMAX, [build.place(view, layout)], layout, beta=1.0)
