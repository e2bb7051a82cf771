"""Replaces shape arithmetic by constants, and makes the batch size free.

Paddle's graphs compute target shapes with Shape and Slice, or contain a fixed batch of 1. This pass runs one
image through the graph and writes the shapes that occur into it. Only the batch remains free: it is the first
axis of every tensor that depends on the image, so a reshape to (-1, d1, d2, ...) is right for every batch
size. `ensures` checks exactly that.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.exporters.graph import Graph, Node, TensorInfo
from pose_onnx.exporters.passes._evaluate import evaluate
from pose_onnx.exporters.passes._runner import Pass

BATCH: Final = "N"
SEED: Final = 0
SAME_ROWS: Final = 1e-3
"""Largest allowed difference, relative to the largest value, between an image alone and in a batch.

Rounding depends on the batch size, by about 1e-6; a wrong axis gives differences of order 1.
"""
_FACTORS: Final = 2  # index among the inputs of Resize
Shapes = dict[str, tuple[int, ...]]


def run(graph: Graph) -> None:
    """See the module."""
    shapes = _shapes(graph)
    for node in graph.of_type("Reshape"):
        if shape := shapes[node.outputs[0]]:
            node.inputs[1] = graph.constant(np.array([-1, *shape[1:]], np.int64), f"{node.outputs[0]}.shape")
    for node in _resized(graph):
        _resize_by_scales(graph, node, shapes)
    _freeze_sizes(graph)
    graph.inputs = [TensorInfo(t.name, t.dtype, (BATCH, *t.shape[1:])) for t in graph.inputs]
    graph.outputs = [TensorInfo(t.name, t.dtype, (BATCH, *shapes[t.name][1:])) for t in graph.outputs]


def _shapes(graph: Graph) -> Shapes:
    read = {n.inputs[0] for n in _resized(graph)}
    made = {n.outputs[0] for n in (*graph.of_type("Reshape"), *_resized(graph))}
    names = sorted((read | made | graph.output_names()) - {t.name for t in graph.inputs})
    shapes = {name: array.shape for name, array in _run(graph, names, _images(graph, 1)).items()}
    return shapes | {t.name: (1, *_image_shape(graph)) for t in graph.inputs}


def _freeze_sizes(graph: Graph) -> None:
    """Replace what is computed only from fixed sizes by constants: the grid of a detector."""
    graph.prune()
    known = {*graph.constants, ""}
    sized = []
    for node in graph.nodes:
        if node.op == "Shape" or known.issuperset(node.inputs):
            known.update(node.outputs)
            sized.append(node)
    names = [name for node in sized for name in node.outputs if name]
    if not names:
        return
    one, two = (_run(graph, names, _images(graph, count)) for count in (1, 2))
    graph.constants |= {name: one[name] for name in names if np.array_equal(one[name], two[name])}
    graph.drop([node for node in sized if {*graph.constants, ""}.issuperset(node.outputs)])


def _resized(graph: Graph) -> list[Node]:
    """Return the resizes without constant factors: these are computed, or sizes are given instead."""
    found = [(node, graph.constants.get(node.inputs[_FACTORS])) for node in graph.of_type("Resize")]
    return [node for node, factors in found if factors is None or factors.size == 0]


def _resize_by_scales(graph: Graph, node: Node, shapes: Shapes) -> None:
    """Give a resize constant factors. Sizes would include the batch size, which is free."""
    before, after = shapes[node.inputs[0]], shapes[node.outputs[0]]
    factors = np.array([_factor(a, b) for a, b in zip(before, after, strict=True)], np.float32)
    node.inputs = [*node.inputs[:2], graph.constant(factors, f"{node.outputs[0]}.scales")]


def _factor(before: int, after: int) -> float:
    """Return the float32 factor of a resize to size `after`; the product is rounded down.

    ONNX Runtime multiplies in float32 and ONNX's shape inference in float64; both must give the same size.
    """
    factor = np.float32(after / before)
    rounded_up = np.nextafter(factor, np.float32(np.inf))
    return float(factor if int(float(factor) * before) == after else rounded_up)


def _images(graph: Graph, count: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(SEED)
    return rng.standard_normal((count, *_image_shape(graph))).astype(np.float32)


def _image_shape(graph: Graph) -> tuple[int, ...]:
    return tuple(int(size) for size in graph.inputs[0].shape[1:])


def _run(graph: Graph, names: list[str], images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    return evaluate(graph, graph.nodes, names, {graph.inputs[0].name: images})


def one_image_of_known_size(graph: Graph) -> str:
    """Check that there is one input, whose sizes except the batch are known."""
    if len(graph.inputs) != 1:
        return f"it has the inputs {[t.name for t in graph.inputs]}, not one image"
    if not all(isinstance(size, int) and size > 0 for size in graph.inputs[0].shape[1:]):
        return f"the image has the shape {graph.inputs[0].shape}; its height and width must be fixed"
    return ""


def rows_are_independent(graph: Graph) -> str:
    """Check that two images in a batch give the same results as each alone."""
    names = [t.name for t in graph.outputs]
    images = _images(graph, 2)
    together = _run(graph, names, images)
    for row in range(2):
        alone = _run(graph, names, images[row : row + 1])
        for name in names:
            error = np.abs(together[name][row] - alone[name][0]).max()
            if error > SAME_ROWS * max(1.0, np.abs(alone[name]).max()):
                return f"output {name!r} of image {row} changes by {error:.3g} in a batch of 2"
    return ""


FREEZE_SHAPES = Pass(
    "freeze_shapes",
    run,
    requires=one_image_of_known_size,
    ensures=rows_are_independent,
    required=True,
)
