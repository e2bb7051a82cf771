"""The file as a whole: names, layout, batch, metadata, weights, versions, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from onnx import helper

from pose_onnx.errors import ExportError
from pose_onnx.exporters.tflite import DisparityError, UnsupportedOperatorError, convert

if TYPE_CHECKING:
    from collections.abc import Callable

HEIGHT, WIDTH, CHANNELS, JOINTS, ANCHORS = 16, 12, 8, 5, 48
# float16 keeps 11 bits of every weight: half a unit in the last place is 2^-12 of it.
FLOAT16_ROUNDING = 2**-12


@pytest.fixture
def network(model_of: Callable[..., onnx.ModelProto]) -> onnx.ModelProto:
    """A small network with heads of both kinds: an image, and a list per anchor."""
    rng = np.random.default_rng(7)

    def weight(*shape: int) -> Any:
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)

    constants = {
        "stem.weight": weight(CHANNELS, 3, 3, 3),
        "stem.bias": weight(CHANNELS),
        "depthwise.weight": weight(CHANNELS, 1, 3, 3),
        "joints.weight": weight(JOINTS, CHANNELS, 1, 1),
        "boxes.weight": weight(4, CHANNELS, 1, 1),
        "flat": np.asarray([0, 4, ANCHORS]),
    }
    nodes = [
        helper.make_node(
            "Conv", ["image", "stem.weight", "stem.bias"], ["stem"], strides=[2, 2], pads=[1] * 4
        ),
        helper.make_node("Relu", ["stem"], ["stem.relu"]),
        helper.make_node(
            "Conv", ["stem.relu", "depthwise.weight"], ["depthwise"], pads=[1] * 4, group=CHANNELS
        ),
        helper.make_node("HardSwish", ["depthwise"], ["features"]),
        helper.make_node("Conv", ["features", "joints.weight"], ["heatmaps"]),
        helper.make_node("Conv", ["features", "boxes.weight"], ["distances"]),
        helper.make_node("Reshape", ["distances", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["boxes"], perm=[0, 2, 1]),
        helper.make_node("Relu", ["features"], ["nobody reads this"]),
    ]
    return model_of(nodes, {"image": (3, HEIGHT, WIDTH)}, ["heatmaps", "boxes"], constants, 17)


def unpack(content: bytes) -> Any:
    return schema.ModelT.InitFromPackedBuf(content)


def test_signature_and_layout(network: onnx.ModelProto) -> None:
    signature = Interpreter(model_content=convert(network)).get_signature_runner("serving_default")
    inputs, outputs = signature.get_input_details(), signature.get_output_details()
    assert {name: list(item["shape_signature"]) for name, item in inputs.items()} == {
        "image": [-1, HEIGHT, WIDTH, 3]
    }
    assert {name: list(item["shape_signature"]) for name, item in outputs.items()} == {
        "heatmaps": [-1, HEIGHT // 2, WIDTH // 2, JOINTS],
        "boxes": [-1, ANCHORS, 4],
    }
    assert all(item["name"] == name for name, item in {**inputs, **outputs}.items())


def test_inner_tensors_keep_their_names(network: onnx.ModelProto) -> None:
    names = [tensor.name.decode() for tensor in unpack(convert(network)).subgraphs[0].tensors]
    assert {"stem.relu", "depthwise", "features", "distances", "stem.weight", "stem.bias"} <= set(names)
    assert "nobody reads this" not in names
    assert len(names) == len(set(names))


def test_one_interpreter_takes_any_batch(
    network: onnx.ModelProto, onnx_result: Callable[..., Any], tflite_result: Callable[..., Any]
) -> None:
    content = convert(network)
    for batch in (1, 5, 2):
        image = np.random.default_rng(batch).standard_normal((batch, 3, HEIGHT, WIDTH)).astype(np.float32)
        expected = onnx_result(network, {"image": image})
        for name, result in tflite_result(content, {"image": image}).items():
            np.testing.assert_allclose(result, expected[name], atol=5e-6)


def test_equal_models_give_equal_bytes_and_stay_unchanged(network: onnx.ModelProto) -> None:
    before = network.SerializeToString(deterministic=True)
    assert convert(network, weights="float16") == convert(network, weights="float16")
    assert network.SerializeToString(deterministic=True) == before


def test_metadata(network: onnx.ModelProto) -> None:
    card = b'{"name": "tiny"}'
    model = unpack(convert(network, metadata={"pose_onnx.card": card}))
    entries = {item.name.decode(): bytes(model.buffers[item.buffer].data) for item in model.metadata}
    # HARD_SWISH is the youngest operator of the network.
    assert entries == {"min_runtime_version": b"1.15.0".ljust(16, b"\0"), "pose_onnx.card": card}


def test_buffers_are_aligned(network: onnx.ModelProto) -> None:
    content = convert(network)
    model = schema.Model.GetRootAs(content)
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            start = buffer._tab.Vector(buffer._tab.Offset(4))
            assert start % 16 == 0


def test_float16_weights(
    network: onnx.ModelProto, onnx_result: Callable[..., Any], tflite_result: Callable[..., Any]
) -> None:
    content = convert(network, weights="float16")
    tensors = {tensor.name.decode(): tensor for tensor in unpack(content).subgraphs[0].tensors}
    assert tensors["stem.weight/float16"].type == schema.TensorType.FLOAT16
    assert tensors["stem.bias"].type == schema.TensorType.FLOAT32
    # Too few numbers to be worth an operator.
    assert tensors["joints.weight"].buffer
    image = np.random.default_rng(0).uniform(-1, 1, (2, 3, HEIGHT, WIDTH)).astype(np.float32)
    expected = onnx_result(network, {"image": image})
    for name, result in tflite_result(content, {"image": image}).items():
        error = np.abs(result - expected[name]).max()
        # Three layers deep, each of them wrong by at most that share of its largest number, errors adding up.
        assert 0 < error < 3 * FLOAT16_ROUNDING * np.abs(expected[name]).max()


def test_weights_beyond_float16_stay_float32(model_of: Callable[..., onnx.ModelProto]) -> None:
    weight = np.full((8, 8, 1, 1), 1e5, np.float32)
    model = model_of(
        [helper.make_node("Conv", ["x", "w"], ["y"])], {"x": (8, 2, 2)}, ["y"], {"w": weight}, 17
    )
    assert convert(model, weights="float16") == convert(model, weights="float32")


def test_outputs_that_are_the_same_numbers(
    model_of: Callable[..., onnx.ModelProto],
    onnx_result: Callable[..., Any],
    tflite_result: Callable[..., Any],
) -> None:
    """An input passed on, one tensor under two names, one in two shapes."""
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Relu", ["x"], ["first"]),
        helper.make_node("Identity", ["first"], ["second"]),
        helper.make_node("Flatten", ["first"], ["flat"]),
    ]
    model = model_of(nodes, {"x": (3, 4, 5)}, ["same", "first", "second", "flat"], {}, 17)
    image = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    expected = onnx_result(model, {"x": image})
    results = tflite_result(convert(model), {"x": image})
    assert results.keys() == expected.keys()
    for name, result in results.items():
        np.testing.assert_array_equal(result, expected[name])


def test_constants_are_folded(
    model_of: Callable[..., onnx.ModelProto], operators_of: Callable[..., Any]
) -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], value_floats=[1.0, 4.0, 9.0]),
        helper.make_node("Sqrt", ["c"], ["root"]),
        helper.make_node("Mul", ["x", "root"], ["y"]),
    ]
    assert operators_of(convert(model_of(nodes, {"x": (3,)}, ["y"], {}, 17))) == [("MUL", 1)]


def test_versions_are_the_lowest(
    model_of: Callable[..., onnx.ModelProto], operators_of: Callable[..., Any]
) -> None:
    """Versions as TensorFlow's own converter writes them for float32 (lite/tools/versioning)."""
    constants = {"w": np.ones((4, 2, 3, 3), np.float32), "d": np.ones((4, 1, 3, 3), np.float32)}
    constants["s"] = np.asarray([1, 1, 2, 2], np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], group=2),
        helper.make_node("Conv", ["a", "d"], ["b"], group=4, dilations=[2, 2]),
        helper.make_node("Resize", ["b", "", "s"], ["c"], mode="linear"),
        helper.make_node(
            "Resize", ["c", "", "s"], ["e"], mode="linear", coordinate_transformation_mode="align_corners"
        ),
        helper.make_node("Transpose", ["e"], ["f"], perm=[0, 3, 2, 1]),
        helper.make_node("Softmax", ["f"], ["y"], axis=1),
    ]
    content = convert(model_of(nodes, {"x": (4, 12, 12)}, ["y"], constants, 17))
    assert operators_of(content) == [
        ("CONV_2D", 6),  # grouped
        ("DEPTHWISE_CONV_2D", 2),  # dilated
        ("RESIZE_BILINEAR", 3),  # half-pixel centres
        ("RESIZE_BILINEAR", 1),
        ("TRANSPOSE", 1),
        ("SOFTMAX", 1),
    ]


def test_an_input_that_nobody_reads_stays(
    model_of: Callable[..., onnx.ModelProto], tflite_result: Callable[..., Any]
) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"unread": (2,), "x": (3,)}, ["y"], {}, 17)
    feeds = {"unread": np.zeros((2, 2), np.float32), "x": np.ones((2, 3), np.float32)}
    np.testing.assert_array_equal(tflite_result(convert(model), feeds)["y"], feeds["x"])


def test_unknown_operator(model_of: Callable[..., onnx.ModelProto]) -> None:
    model = model_of([helper.make_node("Det", ["x"], ["y"], "culprit")], {"x": (3, 3)}, ["y"], {}, 17)
    with pytest.raises(
        UnsupportedOperatorError, match=r"'culprit' \(Det\) cannot be lowered to TFLite"
    ) as caught:
        convert(model)
    assert isinstance(caught.value, ExportError)
    assert (caught.value.node_name, caught.value.op_type) == ("culprit", "Det")


def test_foreign_domain(model_of: Callable[..., onnx.ModelProto]) -> None:
    node = helper.make_node("Relu", ["x"], ["y"], "culprit", domain="com.microsoft")
    with pytest.raises(UnsupportedOperatorError, match=r"'culprit'.*com\.microsoft"):
        convert(model_of([node], {"x": (3,)}, ["y"], {}, 17))


def test_free_image_size(model_of: Callable[..., onnx.ModelProto]) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (3, 4, 4)}, ["y"], {}, 17)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "H"
    with pytest.raises(ExportError, match="only its first axis may be free"):
        convert(model)


def test_old_opset(model_of: Callable[..., onnx.ModelProto]) -> None:
    with pytest.raises(ExportError, match="opset 9"):
        convert(model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (3,)}, ["y"], {}, 9))


def test_shapes_that_contradict_each_other(model_of: Callable[..., onnx.ModelProto]) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    with pytest.raises(ExportError, match="shapes of the ONNX model"):
        convert(model_of([node], {"x": (3, 4)}, ["y"], {"w": np.ones((5, 2), np.float32)}, 17))


def test_batch_baked_into_a_reshape(model_of: Callable[..., onnx.ModelProto]) -> None:
    node = helper.make_node("Reshape", ["x", "s"], ["y"], "culprit")
    with pytest.raises(UnsupportedOperatorError, match=r"'culprit'.*does not follow the batch"):
        convert(model_of([node], {"x": (3, 4)}, ["y"], {"s": np.asarray([1, 12])}, 17))


def test_constant_output(model_of: Callable[..., onnx.ModelProto]) -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], value_floats=[1.0]),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    with pytest.raises(ExportError, match="'c' is a constant"):
        convert(model_of(nodes, {"x": (3,)}, ["y", "c"], {}, 17))


def test_a_wrong_lowering_is_noticed(
    monkeypatch: pytest.MonkeyPatch, compare: Callable[..., list[str]]
) -> None:
    """`convert` compares what it has made with ONNX Runtime."""
    from pose_onnx.exporters.tflite import _convert, elementwise, table  # noqa: PLC0415 - patched here only
    from pose_onnx.exporters.tflite import _operators as op  # noqa: PLC0415

    node = [helper.make_node("Add", ["x", "z"], ["y"])]
    inputs = {"x": (3, 4, 5), "z": (3, 4, 5)}
    compare(node, inputs)
    wrong = {**table.LOWERINGS, "Add": elementwise.lower_binary(op.SUB)}
    monkeypatch.setattr(_convert, "LOWERINGS", wrong)
    with pytest.raises(DisparityError, match=r"does not compute what the ONNX model does \(output 'y'"):
        compare(node, inputs)
