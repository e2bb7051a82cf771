"""A graph that is read and written stays the model that it was."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.passes.fold_constants import FOLD_CONSTANTS

SHAPE = (2, 3, 4)
OLD = [helper.make_opsetid("ai.onnx", 11)]
"""Before opset 13, Softmax flattens from its axis on, and its axis is 1 where none is given."""
VALUES = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


def model_of(nodes: list[onnx.NodeProto], opsets: list[onnx.OperatorSetIdProto]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)],
        [numpy_helper.from_array(VALUES, "c")],
    )
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def result(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": VALUES[::-1].copy()})[0])


def test_an_older_model_keeps_its_operators() -> None:
    model = model_of([helper.make_node("Softmax", ["x"], ["y"])], OLD)
    again = Graph.from_model(model).to_model()
    assert [(entry.domain, entry.version) for entry in again.opset_import] == [("", 11)]
    np.testing.assert_array_equal(result(again), result(model))


def test_constants_of_an_older_model_are_folded_by_its_operators() -> None:
    nodes = [helper.make_node("Softmax", ["c"], ["s"]), helper.make_node("Add", ["x", "s"], ["y"])]
    model = model_of(nodes, OLD)
    folded = rewrite(Graph.from_model(model), [FOLD_CONSTANTS], strict=True)
    assert [node.op for node in folded.nodes] == ["Add"]
    np.testing.assert_allclose(result(folded.to_model()), result(model), rtol=0, atol=1e-6)  # rounding


def test_operators_of_other_domains_stay_theirs() -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = model_of([helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")], opsets)
    graph = Graph.from_model(model)
    assert graph.copy() == graph
    np.testing.assert_array_equal(result(graph.to_model()), result(model))


def test_strings_are_text() -> None:
    node = helper.make_node("Pad", ["x", ""], ["y"], mode="edge")
    (read,) = Graph.from_model(model_of([node], [helper.make_opsetid("", 17)])).nodes
    assert read.attributes == {"mode": "edge"}
    assert [read.input(index) for index in range(3)] == ["x", "", ""]
