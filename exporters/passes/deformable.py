"""Replaces deformable convolutions, marked by `exporters/rewriting.py`, by sampling and a plain convolution.

The mark is a plain convolution concatenated with its offsets and masks, and a slice that keeps the plain
part. The replacement places the samples for each pixel side by side, in a map enlarged by the kernel's size,
and applies a convolution whose stride is the kernel's size. So opset 17 is enough; DeformConv came with 19.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Array, Graph, Node
from pose_onnx.exporters.passes._runner import Pass

CHANNELS: Final = 1
MARKED: Final = ("Conv", "Concat", "Slice")
JOINED: Final = 3
"""Number of inputs of the concatenation: the plain convolution, the offsets and the masks."""
POINT: Final = 2
"""Values per offset: rows and columns."""


def run(graph: Graph) -> None:
    """See the module."""
    producers = graph.producers()
    shapes = None
    for cut in graph.of_type("Slice"):
        joined = producers.get(cut.inputs[0])
        plain = producers.get(joined.inputs[0]) if joined is not None else None
        if joined is None or plain is None or not _is_marked(joined, plain):
            continue
        shapes = shapes or graph.shapes()
        graph.swap(cut, _deformed(graph, cut.outputs[0], plain, joined.inputs[1:], shapes))


def _is_marked(joined: Node, plain: Node) -> bool:
    return (
        (joined.op, plain.op) == ("Concat", "Conv")
        and joined.attributes["axis"] == CHANNELS
        and len(joined.inputs) == JOINED
    )


def _deformed(
    graph: Graph, name: str, plain: Node, told: list[str], shapes: dict[str, tuple[int | str, ...]]
) -> list[Node]:
    kernel = graph.constants[plain.inputs[1]].shape[2:]
    sides = _sizes(shapes[plain.inputs[0]])
    made = _sizes(shapes[plain.outputs[0]])
    rows, columns = (side * taps for side, taps in zip(made, kernel, strict=True))
    # Offsets have rows first; GridSample's coordinates have columns first.
    scale = np.array([2 / sides[1], 2 / sides[0]], np.float32)
    parts = {
        "taps": np.array([-1, *kernel, POINT, *made]),
        "moves": np.array([-1, rows, columns, POINT]),
        "order": np.array([1, 0]),
        "scale": scale,
        "places": _places(plain, kernel, made, sides),
        "weights": np.array([-1, *kernel, *made]),
        "layout": np.array([-1, 1, rows, columns]),
    }
    constant = {key: graph.constant(array, f"{name}.{key}") for key, array in parts.items()}
    at = {key: graph.new_name(f"{name}.{key}") for key in "abcdefghijkl"}
    offsets, masks = told
    image, filters = plain.inputs[:2]
    return [
        Node("Reshape", [offsets, constant["taps"]], [at["a"]]),
        Node("Transpose", [at["a"]], [at["b"]], {"perm": [0, 4, 1, 5, 2, 3]}),
        Node("Reshape", [at["b"], constant["moves"]], [at["c"]]),
        Node("Gather", [at["c"], constant["order"]], [at["d"]], {"axis": 3}),
        Node("Mul", [at["d"], constant["scale"]], [at["e"]]),
        Node("Add", [at["e"], constant["places"]], [at["f"]]),
        Node("GridSample", [image, at["f"]], [at["g"]], {"mode": "bilinear", "padding_mode": "zeros"}),
        Node("Reshape", [masks, constant["weights"]], [at["h"]]),
        Node("Transpose", [at["h"]], [at["i"]], {"perm": [0, 3, 1, 4, 2]}),
        Node("Reshape", [at["i"], constant["layout"]], [at["j"]]),
        Node("Mul", [at["g"], at["j"]], [at["k"]]),
        Node("Conv", [at["k"], filters], [name], {"strides": list(kernel), "kernel_shape": list(kernel)}),
    ]


def _places(plain: Node, kernel: tuple[int, ...], made: tuple[int, int], sides: tuple[int, int]) -> Array:
    """Return the taps of each pixel without offsets: (1, rows, columns, 2), x and y from -1 to 1."""
    axes = []
    for axis, (taps, count, side) in enumerate(zip(kernel, made, sides, strict=True)):
        stride, dilation, before = (
            plain.attributes.get(key, [default] * 2)[axis]
            for key, default in (("strides", 1), ("dilations", 1), ("pads", 0))
        )
        pixels = np.arange(count)[:, None] * stride - before + np.arange(taps) * dilation
        # GridSample's -1 and 1 are the outer edges of the map; beyond them it reads 0.
        axes.append((2 * pixels.reshape(-1) + 1) / side - 1)
    places = np.stack(np.meshgrid(*axes, indexing="ij")[::-1], axis=-1)
    return places[None].astype(np.float32)


def _sizes(shape: tuple[int | str, ...]) -> tuple[int, int]:
    height, width = shape[2:]
    return int(height), int(width)


def _none_left(graph: Graph) -> str:
    producers = graph.producers()
    left = [
        cut.outputs[0]
        for cut in graph.of_type(MARKED[-1])
        if (joined := producers.get(cut.inputs[0])) is not None
        and (plain := producers.get(joined.inputs[0])) is not None
        and _is_marked(joined, plain)
    ]
    return f"the deformable convolutions {left} were not replaced" if left else ""


DEFORMABLE = Pass("deformable", run, ensures=_none_left, required=True)
