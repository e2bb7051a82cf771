"""Elementwise operators: arithmetic of two tensors, functions of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import View
from pose_onnx.exporters.tflite.shape import lower_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder
    from pose_onnx.exporters.tflite._operators import Operator

# Powers that have their own operator.
_POWERS: Final[Mapping[float, Operator]] = {0.5: op.SQRT, 2.0: op.SQUARE}


def lower_binary(operator: Operator) -> Callable[[Node, Builder], None]:
    """Make the lowering of a broadcasting operator with two or more inputs, applied from left to right."""

    def lower(node: Node, build: Builder) -> None:
        if len(node.inputs) == 1:
            lower_identity(node, build)
            return
        rank, layout = common_layout(node, build)
        tensors = [build.add_operand(name, rank, layout) for name in node.inputs]
        result = tensors[0]
        for other in tensors[1:-1]:
            extent = build.extent(node).permuted(layout)
            result = build.emit(operator, [result, other], extent, f"{node.outputs[0]}/partial")
        build.produce(node, operator, [result, tensors[-1]], layout)

    return lower


def common_layout(node: Node, build: Builder) -> tuple[int, tuple[int, ...]]:
    """Return the rank of the node's result, and the current layout of its largest computed input."""
    rank = build.extent(node).rank
    views = [build.view(name).padded(rank) for name in node.inputs if not build.is_constant(name)]
    largest = max(views, key=lambda view: int(np.prod(view.extent.sizes)))
    return rank, largest.layout


def write_unary(node: Node, build: Builder, operator: Operator, view: View, **options: float) -> None:
    """Write an elementwise operator, in the current layout of its input."""
    extent = build.file.tensors[view.tensor].extent
    tensor = build.emit(operator, [view.tensor], extent, node.outputs[0], **options)
    build.define(node, tensor, view.order)


def lower_unary(operator: Operator) -> Callable[[Node, Builder], None]:
    """Make the lowering of a function of one number."""

    def lower(node: Node, build: Builder) -> None:
        write_unary(node, build, operator, build.view(node.inputs[0]))

    return lower


def lower_greater(node: Node, build: Builder) -> None:
    """Greater than a constant, as 0 and 1 in float32.

    Different float32 numbers are at least one step apart. So twice the difference, divided by the smallest
    step, is -2 or less, 0, or 2 or more. Tensors of booleans would need kernels that the delegates lack.
    """
    bound = build.constant(node, 1)
    if bound.size != 1 or not np.isfinite(bound).all() or bound.dtype != np.float32:
        raise UnsupportedOperatorError(node, "only a comparison with one number is known")
    view, name = build.view(node.inputs[0]), node.outputs[0]
    extent = build.file.tensors[view.tensor].extent
    below = np.nextafter(np.abs(bound), np.float32(0))
    factor = 2 / np.maximum(np.abs(bound) - below, np.finfo(np.float32).tiny)
    tensor = view.tensor
    steps = {
        "above": (op.SUB, bound),
        "far": (op.MUL, factor),
        "low": (op.MAXIMUM, 0),
        "high": (op.MINIMUM, 1),
    }
    for step, (operator, number) in steps.items():
        constant = build.file.add_constant(f"{name}/{step}/by", np.float32(number).reshape(1))
        tensor = build.emit(operator, [tensor, constant], extent, f"{name}/{step}")
    build.define(node, tensor, view.order)


def lower_pow(node: Node, build: Builder) -> None:
    """Pow: SQRT, SQUARE or POW."""
    name = node.input(1)
    exponent = build.graph.constants[name] if build.is_constant(name) else np.empty(0)
    operator = (
        _POWERS.get(float(exponent.reshape(-1)[0])) if exponent.size == 1 and exponent.ndim <= 1 else None
    )
    if operator is None:
        lower_binary(op.POW)(node, build)
    else:
        write_unary(node, build, operator, build.view(node.inputs[0]))


def lower_batch_normalization(node: Node, build: Builder) -> None:
    """BatchNormalization: MUL and ADD. If there is a convolution before it, fold it into that first."""
    if node.attributes.get("training_mode", 0):
        raise UnsupportedOperatorError(node, "it is in training mode; export the model for inference")
    scale, offset, mean, variance = (build.constant(node, index).astype(np.float64) for index in range(1, 5))
    factor = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    view, name = build.view(node.inputs[0]), node.outputs[0]
    layout = view.layout
    extent = build.extent(node).permuted(layout)
    shape = (len(factor), *[1] * (view.extent.rank - 1 - layout.index(1)))

    def channels(part: str, values: NDArray[np.float64]) -> int:
        return build.file.add_constant(f"{name}/{part}", values.astype(np.float32).reshape(shape))

    scaled = build.emit(
        op.MUL, [build.place(view, layout), channels("factor", factor)], extent, f"{name}/scaled"
    )
    build.produce(node, op.ADD, [scaled, channels("offset", offset - mean * factor)], layout)
