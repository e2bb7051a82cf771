"""Small graphs for the tests of passes, and a way to run them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto

from pose_onnx.exporters.graph import Graph, Node, TensorInfo


def graph_of(
    nodes: Sequence[Node],
    constants: dict[str, NDArray[Any]] | None = None,
    *,
    shape: Sequence[int | str] = ("N", 4, 6, 6),
    outputs: Sequence[str] = ("y",),
    rank: int = 4,
) -> Graph:
    """A graph from `image` to `outputs` (of `rank`, sizes not given)."""
    return Graph(
        list(nodes),
        dict(constants or {}),
        [TensorInfo("image", TensorProto.FLOAT, tuple(shape))],
        [TensorInfo(name, TensorProto.FLOAT, tuple(f"{name}{i}" for i in range(rank))) for name in outputs],
    )


def images(graph: Graph, batch: int = 1, seed: int = 0) -> NDArray[np.float32]:
    sizes = [s if isinstance(s, int) else batch for s in graph.inputs[0].shape]
    return np.random.default_rng(seed).standard_normal(sizes).astype(np.float32)


def run(graph: Graph, image: NDArray[np.float32]) -> list[NDArray[Any]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        graph.to_model().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    arrays: list[NDArray[Any]] = session.run(None, {"image": image})
    return arrays


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]
