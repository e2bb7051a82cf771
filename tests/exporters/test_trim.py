from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from pose_onnx import BoxDistributionOutput, BoxOutput, ExportError, InputSpec, ModelCard, load_card
from pose_onnx.exporters.graph import Graph, Node, TensorInfo
from pose_onnx.exporters.heads import find_heads
from pose_onnx.exporters.passes import SIMPLIFY, rewrite
from pose_onnx.exporters.trim import trim
from tests.exporters.graphs import images, ops, run

BOXES = BoxOutput(strides=(8, 16), bins=3)
CARD = ModelCard("small", "none", InputSpec((16, 16), "stretch"), BOXES, classes=("person", "dog"))
LEVELS = ((2, 4), (1, 1))  # anchors per side: 2 x 2 cells of 8 px, 1 x 1 of 16 px


def info(name: str, *shape: int | str, dtype: int = TensorProto.FLOAT) -> TensorInfo:
    return TensorInfo(name, dtype, shape)


def raw_heads() -> Graph:
    """Classes and bins of two levels, each a slice of the image, with a batch of 1 written in."""
    nodes, constants, outputs = [], {}, []
    for kind, columns in (("scores", 2), ("bins", 12)):
        for level, anchors in enumerate((4, 1)):
            name, size = f"{kind}{level}", anchors * columns
            constants[f"{name}.start"] = np.array([level * 48], np.int64)
            constants[f"{name}.end"] = np.array([level * 48 + size], np.int64)
            constants[f"{name}.shape"] = np.array([1, -1, columns], np.int64)
            nodes += [
                Node("Reshape", ["image", "flat"], [f"{name}.flat"]),
                Node("Slice", [f"{name}.flat", f"{name}.start", f"{name}.end", "axis"], [f"{name}.part"]),
                Node("Reshape", [f"{name}.part", f"{name}.shape"], [name]),
            ]
            outputs.append(info(name, 1, anchors, columns))
    constants |= {"flat": np.array([1, 768], np.int64), "axis": np.array([1], np.int64)}
    return Graph(nodes, constants, [info("image", 1, 3, 16, 16)], outputs)


def test_raw_heads_are_decoded_in_the_graph() -> None:
    graph = rewrite(trim(raw_heads(), CARD), SIMPLIFY)
    x = images(graph, 2)
    boxes, scores = run(graph, x)
    flat = x.reshape(2, -1)
    tensors = {
        "scores0": flat[:, :8].reshape(2, 4, 2), "scores1": flat[:, 48:50].reshape(2, 1, 2),
        "bins0": flat[:, :48].reshape(2, 4, 12), "bins1": flat[:, 48:60].reshape(2, 1, 12),
    }  # fmt: skip
    raw = BoxDistributionOutput(("scores0", "scores1"), ("bins0", "bins1"), BOXES.strides, BOXES.bins)
    # A row of float32 products of order 10: rounding of about 1e-6.
    np.testing.assert_allclose(boxes, raw.decode(tensors, CARD.picture.size)[0], atol=1e-5)
    np.testing.assert_array_equal(scores[:, :4], flat[:, :8].reshape(2, 4, 2))


def test_decoding_agrees_with_the_definition() -> None:
    raw = BoxDistributionOutput(("scores",), ("bins",), strides=(8,), bins=3)
    certain = np.full((1, 4, 4, 3), -50.0, np.float32)
    certain[..., 2] = 50  # every edge two strides away
    tensors = {"scores": np.zeros((1, 4, 1), np.float32), "bins": certain.reshape(1, 4, 12)}
    boxes, _ = raw.decode(tensors, (16, 16))
    np.testing.assert_allclose(boxes[0, 0], [4 - 16, 4 - 16, 4 + 16, 4 + 16], atol=1e-4)
    np.testing.assert_allclose(boxes[0, 1], [12 - 16, 4 - 16, 12 + 16, 4 + 16], atol=1e-4)


def before_nms() -> Graph:
    """Boxes over scale_factor and scores (N, C, A): a program of PaddleDetection, cut before its NMS."""
    nodes = [
        Node("Reshape", ["image", "rows"], ["boxes.network"]),
        Node("Concat", ["scale_factor", "scale_factor"], ["scale.pair"], {"axis": 1}),
        Node("Reshape", ["scale.pair", "broadcast"], ["scale.all"]),
        Node("Div", ["boxes.network", "scale.all"], ["boxes.image"]),
        Node("Reshape", ["image", "columns"], ["many"]),
        Node("ReduceMax", ["many"], ["scores.all"], {"axes": [3], "keepdims": 0}),
    ]
    constants: dict[str, NDArray[Any]] = {
        "rows": np.array([-1, 192, 4], np.int64),
        "broadcast": np.array([-1, 1, 4], np.int64),
        "columns": np.array([-1, 2, 192, 2], np.int64),
    }
    inputs = [info("scale_factor", 1, 2), info("image", 1, 3, 16, 16)]
    outputs = [info("boxes.image", "N", 192, 4), info("scores.all", "N", 2, 192)]
    return Graph(nodes, constants, inputs, outputs)


def test_scale_factor_is_cut_off() -> None:
    graph = rewrite(trim(before_nms(), CARD), SIMPLIFY)
    assert [t.name for t in graph.inputs] == ["image"]
    assert sorted(ops(graph)) == ["ReduceMax", "Reshape", "Reshape", "Transpose"]
    x = images(graph, 2)
    boxes, scores = run(graph, x)
    np.testing.assert_array_equal(boxes, x.reshape(2, 192, 4))
    np.testing.assert_array_equal(scores, x.reshape(2, 2, 192, 2).max(axis=3).transpose(0, 2, 1))


def test_argmax_is_cut_off() -> None:
    card = replace(
        load_card("tinypose_128x96"),
        input=InputSpec((8, 8), "affine_crop"),
        keypoints=("a", "b", "c"),
        flip_pairs=(),
        skeleton=(),
    )
    nodes = [
        Node("Relu", ["x"], ["maps"]),
        Node("Reshape", ["maps", "flat"], ["rows"]),
        Node("ArgMax", ["rows"], ["places"], {"axis": 2}),
    ]
    outputs = [info("maps", "n", 3, 8, 8), info("places", "n", 3, 1, dtype=TensorProto.INT64)]
    graph = trim(Graph(nodes, {"flat": np.array([0, 3, -1])}, [info("x", -1, 3, "h", "w")], outputs), card)
    assert ops(graph) == ["Relu", "Identity"]
    assert (graph.inputs[0].name, graph.inputs[0].shape) == ("image", ("N", 3, 8, 8))


def test_an_image_of_another_size_is_an_error() -> None:
    with pytest.raises(ExportError, match=r"image is \(3, 16, 16\), but 'small' has \(3, 32, 32\)"):
        trim(before_nms(), replace(CARD, input=replace(CARD.picture, size=(32, 32))))


def test_an_unknown_input_is_an_error() -> None:
    graph = before_nms()
    graph.rename({"scale_factor": "depth"})
    graph.inputs[0] = info("depth", 1, 2)
    with pytest.raises(ExportError, match=r"'depth', 'image'.*at most \['scale_factor', 'im_shape'\]"):
        trim(graph, CARD)


def test_boxes_that_are_clipped_to_im_shape_are_clipped_to_the_input() -> None:
    graph = before_nms()
    card = replace(CARD, input=InputSpec((8, 16), "stretch"))
    graph.inputs = [info("im_shape", -1, 2), info("scale_factor", -1, 2), info("image", -1, 3, 8, 16)]
    graph.constants |= {
        "rows": np.array([-1, 96, 4], np.int64),
        "columns": np.array([-1, 2, 96, 2], np.int64),
    }
    graph.nodes += [
        Node("Div", ["im_shape", "scale_factor"], ["size"]),
        Node("Concat", ["size", "size"], ["size.pair"], {"axis": 1}),
        Node("Reshape", ["size.pair", "broadcast"], ["size.all"]),
        Node("Min", ["boxes.image", "size.all"], ["boxes.clipped"]),
    ]
    graph.outputs = [info("boxes.clipped", "N", 96, 4), info("scores.all", "N", 2, 96)]
    graph = rewrite(trim(graph, card), SIMPLIFY)
    assert [t.name for t in graph.inputs] == ["image"]
    x = 40 * images(graph, 2)
    boxes, _ = run(graph, x)
    np.testing.assert_array_equal(boxes, np.minimum(x.reshape(2, 96, 4), [8, 16, 8, 16]))


@pytest.mark.parametrize(
    ("shapes", "form", "class_first"),
    [
        ({"a": (1, 5, 4), "b": (1, 2, 5)}, "decoded", True),
        ({"a": (1, 5, 4), "b": (1, 5, 2)}, "decoded", False),
        ({"b": (1, 2, 5), "a": (1, 5, 4)}, "decoded", True),
        ({"a": (1, 4, 2), "b": (1, 1, 2), "c": (1, 4, 12), "d": (1, 1, 12)}, "distribution", False),
    ],
)
def test_heads_are_told_by_shape(
    shapes: dict[str, tuple[int | str, ...]], form: str, *, class_first: bool
) -> None:
    heads = find_heads(shapes, CARD)
    assert (heads.form, heads.class_first) == (form, class_first)
    if form == "decoded":
        assert heads.names == ("a", "b")


@pytest.mark.parametrize(
    "shapes", [{}, {"a": (1, 5, 4)}, {"a": (1, 5, 4), "b": (1, 80, 5)}, {"a": (100, 6), "b": (1,)}]
)
def test_outputs_of_another_kind_are_an_error(shapes: dict[str, tuple[int | str, ...]]) -> None:
    with pytest.raises(ExportError, match=r"not those of 'small' \(boxes of 2 classes\)"):
        find_heads(shapes, CARD)
