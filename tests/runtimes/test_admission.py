"""What an engine would believe and crash on, or allocate, is refused with one sentence before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from pose_onnx.errors import ModelFileError
from pose_onnx.exporters.tflite import convert
from pose_onnx.runtimes import TensorSpec, open_runtime
from pose_onnx.runtimes._admission import admit
from pose_onnx.runtimes._flatbuffer import Flatbuffer
from pose_onnx.runtimes._onnx_file import read_onnx
from pose_onnx.runtimes._tflite_file import read_tflite


def onnx_model(*nodes: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    """A little network, and what is added to it."""
    arrays = {"w": np.ones((4, 3, 1, 1), np.float32), "shape": np.array([0, 4, 16]), **constants}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["c"]),
            helper.make_node("Reshape", ["c", "shape"], ["boxes"]),
            *nodes,
        ],
        "little",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 4, 4])],
        [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", 4, 16])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


WHOLE = convert(onnx_model(), metadata={"card": b"the metadata of the file"})


def tflite_file(change: Callable[[Any], Any]) -> bytes:
    """The little network with something changed in its tables."""
    model = schema.ModelT.InitFromPackedBuf(WHOLE)
    change(model)
    return _packed(model)


def test_what_a_file_says_is_told_without_an_engine() -> None:
    image, boxes = TensorSpec("image", (None, 3, 4, 4)), TensorSpec("boxes", (None, 4, 16))
    tflite = read_tflite(WHOLE)
    assert (tflite.inputs, tflite.outputs) == ((image,), (boxes,))
    assert tflite.metadata["card"] == b"the metadata of the file"
    onnx_facts = read_onnx(onnx_model().SerializeToString())
    assert (onnx_facts.inputs, onnx_facts.outputs) == ((image,), (boxes,))


def test_bytes_behind_a_tflite_file_are_no_matter() -> None:
    assert read_tflite(WHOLE + b"behind") == read_tflite(WHOLE)


def test_every_cut_of_a_tflite_file_is_noticed() -> None:
    # Up to 16 bytes at the end are padding that nothing points to.
    for size in range(8, len(WHOLE) - 16, 3):
        with pytest.raises(ValueError, match=r"ends too early|does not end"):
            read_tflite(WHOLE[:size])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda model: setattr(model.signatureDefs[0], "subgraphIndex", 7), "the subgraph of a signature"),
        (lambda model: setattr(model.signatureDefs[0], "signatureKey", None), "a name is missing"),
        (lambda model: setattr(model.signatureDefs[0], "signatureKey", "other"), "no signature 'serving"),
        (lambda model: setattr(model.signatureDefs[0], "outputs", []), "with inputs and outputs"),
        (lambda model: setattr(model.signatureDefs[0].inputs[0], "tensorIndex", 99), "a signature names"),
        (lambda model: setattr(model.signatureDefs[0].inputs[0], "tensorIndex", 1), "a signature names"),
        (lambda model: setattr(model.subgraphs[0].operators[0], "opcodeIndex", 99), "code of an operator"),
        (lambda model: setattr(model.subgraphs[0].operators[0], "inputs", [0, 99]), "an input of an op"),
        (lambda model: setattr(model.subgraphs[0].operators[0], "inputs", [-1, 1]), "an input of an op"),
        (lambda model: setattr(model.subgraphs[0].operators[0], "inputs", [0]), "has 1 inputs, but needs 2"),
        (lambda model: setattr(model.subgraphs[0].operators[0], "outputs", [-1]), "of the operator"),
        (lambda model: setattr(model.subgraphs[0], "inputs", [99]), "of the subgraph"),
        (lambda model: setattr(model.subgraphs[0].tensors[0], "buffer", 99), "the buffer of tensor 0"),
        (lambda model: setattr(model.subgraphs[0].tensors[0], "type", 99), "element type 99"),
        (lambda model: setattr(model.subgraphs[0].tensors[0], "shape", [-3, 4]), "has the shape"),
        (lambda model: setattr(model.subgraphs[0].tensors[1], "shape", [60000, 60000, 1, 3]), "1024 MiB"),
        (lambda model: setattr(model.subgraphs[0].tensors[1], "shape", [4, 1, 1, 9]), "has 48 bytes"),
        (lambda model: setattr(model.subgraphs[0].tensors[0], "shape", [1, 4, 4, 2]), "has the shape"),
        (
            lambda model: setattr(model.signatureDefs[0].outputs[0], "name", "image"),
            "have the same name: image",
        ),
        (lambda model: setattr(model.metadata[0], "buffer", 99), "the buffer of the metadata"),
        (lambda model: model.subgraphs[0].operators.pop(), "nothing writes the outputs"),
        (lambda model: model.subgraphs[0].operators.reverse(), "before they are written"),
        (lambda model: setattr(model.subgraphs[0].operators[-1], "outputs", [0]), "already has values"),
        (lambda model: setattr(model, "subgraphs", []), "0 subgraphs"),
        (lambda model: setattr(model.operatorCodes[0], "builtinCode", 119), "calls another subgraph"),
    ],
)
def test_a_tflite_file_that_contradicts_itself_is_refused(
    change: Callable[[Any], Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_file(change))
    with pytest.raises(
        ModelFileError, match=rf"damaged, or not a \.tflite model \(.*{reason}.*\); export or"
    ):
        open_runtime(path, "tflite")


def test_tables_that_are_shared_do_not_multiply_the_work() -> None:
    """Each of many entries leads to one vector, whose many entries lead to one table."""
    count = 4_000
    builder = flatbuffers.Builder(0)
    builder.StartObject(0)
    leaf = builder.EndObject()
    inner = _vector_of(builder, [leaf] * count)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, inner, 0)
    middle = builder.EndObject()
    outer = _vector_of(builder, [middle] * count)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, outer, 0)
    builder.Finish(builder.EndObject())
    root = Flatbuffer(bytes(builder.Output())).root()
    with pytest.raises(ValueError, match="too complex"):
        [table.tables(0) for table in root.tables(0)]


def _vector_of(builder: flatbuffers.Builder, tables: list[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in tables:
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


OUTSIZE = np.array([3_000_000_000])


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (helper.make_node("ConstantOfShape", ["s"], ["y"]), {"s": OUTSIZE}),
        (helper.make_node("ConstantOfShape", ["s"], ["y"]), {"s": np.array([60_000, 60_000])}),
        (helper.make_node("Expand", ["c", "s"], ["y"]), {"s": np.array([1, 60_000, 60_000, 1])}),
        (helper.make_node("Tile", ["c", "s"], ["y"]), {"s": np.array([1, 1, 60_000, 60_000])}),
        (helper.make_node("Range", ["a", "s", "a"], ["y"]), {"a": np.int64(1), "s": OUTSIZE[0]}),
        (helper.make_node("Resize", ["c", "", "s"], ["y"]), {"s": np.array([1, 1, 6e4, 6e4], np.float32)}),
        (helper.make_node("Resize", ["c", "", "", "s"], ["y"]), {"s": np.array([1, 1, 60_000, 60_000])}),
        (helper.make_node("Pad", ["c", "s"], ["y"]), {"s": np.array([0, 0, 60_000, 0, 0, 0, 0, 60_000])}),
        (helper.make_node("RandomNormal", [], ["y"], shape=[60_000, 60_000]), {}),
    ],
    ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else "",
)
def test_an_onnx_node_that_asks_for_outsize_memory_is_refused(
    node: onnx.NodeProto, constants: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_model(node, **constants).SerializeToString())
    with pytest.raises(ModelFileError, match=rf"a node {node.op_type} declares .* more than the 1024 MiB"):
        open_runtime(path, "ort")


def test_sizes_of_constant_nodes_and_inner_graphs_are_seen() -> None:
    inner = helper.make_graph(
        [
            helper.make_node("Constant", [], ["s"], value_ints=[60_000, 60_000]),
            helper.make_node("Identity", ["s"], ["same"]),
            helper.make_node("ConstantOfShape", ["same"], ["o"]),
        ],
        "inner",
        [],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)],
    )
    node = helper.make_node("If", ["condition"], ["y"], then_branch=inner, else_branch=inner)
    with pytest.raises(ValueError, match="a node ConstantOfShape declares 60000 x 60000"):
        read_onnx(onnx_model(node, condition=np.array(True)).SerializeToString())


def test_an_onnx_tensor_must_have_the_bytes_that_its_shape_says() -> None:
    model = onnx_model()
    model.graph.initializer[0].dims[0] = 4_000_000
    with pytest.raises(ValueError, match=r"tensor 'w' has too few bytes for its shape"):
        read_onnx(model.SerializeToString())


def test_an_onnx_input_must_not_be_outsize() -> None:
    model = onnx_model()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 1_000_000_000
    with pytest.raises(ValueError, match="tensor 'image' declares 1 x 3 x 1000000000 x 4"):
        read_onnx(model.SerializeToString())


def test_an_onnx_size_with_a_name_that_is_no_text_is_refused() -> None:
    content = onnx_model().SerializeToString().replace(b"\x12\x01N", b"\x12\x01\xff")
    with pytest.raises(ValueError, match="can't decode byte 0xff"):
        read_onnx(content)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.touch()
    with pytest.raises(ModelFileError, match="is empty"):
        admit(path, suffix)


def _slice_and_pad() -> onnx.ModelProto:
    """A network with a slice and a pad: what an interpreter allocates for them stands in constants."""
    constants = {
        "start": np.array([0, 1]),
        "end": np.array([4, 3]),
        "axes": np.array([1, 2]),
        "pads": np.array([0, 0, 1, 2, 0, 0, 0, 0]),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["image", "start", "end", "axes"], ["part"]),
            helper.make_node("Pad", ["part", "pads"], ["padded"]),
        ],
        "little",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 4, 4, 4])],
        [helper.make_tensor_value_info("padded", TensorProto.FLOAT, ["N", 4, 3, 6])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("code", "field", "value", "reason"),
    [
        (45, "ellipsisMask", 6, "has ellipsis_mask"),
        (45, "newAxisMask", 1000, "has new_axis_mask"),
        (45, "offset", True, "has offset"),
    ],
)
def test_options_with_which_engines_fail_are_refused(code: int, field: str, value: Any, reason: str) -> None:
    model = schema.ModelT.InitFromPackedBuf(convert(_slice_and_pad()))
    (operator,) = (o for o in model.subgraphs[0].operators if _code_of(model, o) == code)
    setattr(operator.builtinOptions, field, value)
    with pytest.raises(ValueError, match=reason):
        read_tflite(_packed(model))


def test_a_result_must_have_the_size_that_constants_give_it() -> None:
    model = schema.ModelT.InitFromPackedBuf(convert(_slice_and_pad()))
    (pad,) = (operator for operator in model.subgraphs[0].operators if _code_of(model, operator) == 34)
    pads = model.buffers[model.subgraphs[0].tensors[pad.inputs[1]].buffer]
    pads.data = np.array([[0, 0], [0, 65_000], [0, 0], [0, 0]], np.int32).view(np.uint8).ravel()
    with pytest.raises(ValueError, match=r"gives \(1, .*65.*\), but the file says \(1, 3, 6, 4\)"):
        read_tflite(_packed(model))


def test_a_free_size_of_an_input_is_one_at_first() -> None:
    model = schema.ModelT.InitFromPackedBuf(WHOLE)
    model.subgraphs[0].tensors[0].shape = [65_537, 4, 4, 3]
    with pytest.raises(ValueError, match=r"input 'image' has the shape \(65537, 4, 4, 3\)"):
        read_tflite(_packed(model))


def _code_of(model: Any, operator: Any) -> int:
    return int(model.operatorCodes[operator.opcodeIndex].builtinCode)


def _packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
