"""Removes nodes that change nothing: multiplication by 1, addition of 0, transposes to the same order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pose_onnx.exporters.graph import Array, Graph, Node, Shape, permutation, scalar
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes.inline_constants import bypass

Check = Callable[[Graph, Node, Shape], bool]
"""Returns whether a node returns its first input, which has this shape, unchanged."""
_SCALES: Final = 2  # index of Resize's factors among its inputs
_CROP: Final = "tf_crop_and_resize"  # the only mode that reads the region of interest


def run(graph: Graph) -> None:
    """See the module."""
    shapes = graph.shapes()
    found = [n for n in graph.nodes if n.op in NO_OPS and n.inputs[0] in shapes]
    bypass(graph, [n for n in found if NO_OPS[n.op](graph, n, shapes[n.inputs[0]])])


def _neutral(value: float) -> Check:
    """Make the check that the second operand is `value` everywhere and does not broadcast the first."""

    def check(graph: Graph, node: Node, shape: Shape) -> bool:
        operand = graph.constants.get(node.inputs[1])
        return operand is not None and scalar(operand) == value and _broadcasts_to(operand, shape)

    return check


def _broadcasts_to(array: Array, shape: Shape) -> bool:
    sizes = zip(array.shape[::-1], shape[::-1], strict=False)
    return array.ndim <= len(shape) and all(own in (1, other) for own, other in sizes)


def _by_one(graph: Graph, node: Node, _shape: Shape) -> bool:
    by_scales = len(node.inputs) == _SCALES + 1 and scalar(graph.constants.get(node.inputs[_SCALES])) == 1
    return by_scales and node.attributes.get("coordinate_transformation_mode") != _CROP


def _in_order(_graph: Graph, node: Node, shape: Shape) -> bool:
    return permutation(node, len(shape)) == list(range(len(shape)))


def _of_one(_graph: Graph, node: Node, _shape: Shape) -> bool:
    return len(node.inputs) == 1


def _without_bounds(_graph: Graph, node: Node, _shape: Shape) -> bool:
    return not any(node.inputs[1:])


NO_OPS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "Mul": _neutral(1.0),
        "Div": _neutral(1.0),
        "Add": _neutral(0.0),
        "Sub": _neutral(0.0),
        "Resize": _by_one,
        "Transpose": _in_order,
        "Concat": _of_one,
        "Sum": _of_one,
        "Max": _of_one,
        "Min": _of_one,
        "Clip": _without_bounds,
        "Dropout": _of_one,  # the second input is the ratio in training
    }
)

REMOVE_NO_OPS = Pass("remove_no_ops", run)
