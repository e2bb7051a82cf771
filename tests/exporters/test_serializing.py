"""What is written without copies is byte for byte what protobuf writes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from pose_onnx.exporters.graph import Graph, Node, TensorInfo
from pose_onnx.exporters.serializing import serialize
from tests.exporters.fuzz.graphs import random_model


def demand_same(graph: Graph, **metadata: str) -> None:
    skeleton, model = graph.skeleton(), graph.to_model()
    for key, value in metadata.items():
        for each in (skeleton, model):
            each.metadata_props.add(key=key, value=value)
    assert serialize(graph, skeleton) == model.SerializeToString()


@pytest.mark.parametrize("seed", range(30))
def test_a_random_graph(seed: int) -> None:
    demand_same(Graph.from_model(random_model(seed, free_sizes=False)), card="{}")


@pytest.mark.parametrize(
    "array",
    [
        np.float32(1.5),
        np.zeros((0, 3), np.float32),
        np.arange(5, dtype=np.int64),
        np.arange(300, dtype=np.float16).reshape(3, 100).T,
        np.array([[True], [False]]),
        np.zeros((1 << 14, 2), np.int8),
    ],
    ids=["scalar", "empty", "vector", "transposed", "bool", "length of three bytes"],
)
def test_an_array_of_any_kind(array: np.ndarray) -> None:
    info = [TensorInfo("x", TensorProto.FLOAT, ("N", 3))]
    demand_same(Graph([Node("Relu", ["x"], ["y"])], {"c": np.asarray(array)}, info, [replaced(info[0])]))


def replaced(info: TensorInfo) -> TensorInfo:
    return TensorInfo("y", info.dtype, info.shape)


def test_no_constants() -> None:
    info = TensorInfo("x", TensorProto.FLOAT, ("N", 3))
    demand_same(Graph([Node("Relu", ["x"], ["y"])], {}, [info], [replaced(info)]))
