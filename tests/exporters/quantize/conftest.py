"""A small network with every kind of layer that int8 treats differently."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from pose_onnx import HeatmapOutput, InputSpec, ModelCard, load_card
from pose_onnx.exporters.graph import Graph, Node, TensorInfo

SIZE = (64, 48)


@pytest.fixture(scope="session")
def card() -> ModelCard:
    return ModelCard(
        "small",
        "none",
        InputSpec(SIZE, "affine_crop"),
        HeatmapOutput(),
        keypoints=load_card("tinypose_128x96").keypoints,
        limits="so long that the quantiser stores it elsewhere: " + 1024 * ".",
        source="made by the tests",
        published="-",
        license="Apache-2.0",
    )


@pytest.fixture(scope="session")
def graph() -> Graph:
    """First, pointwise, depthwise with another activation, and last layer: image to 17 heatmaps."""
    rng = np.random.default_rng(0)

    def kernel(*shape: int) -> np.ndarray:
        values: np.ndarray = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        return values.astype(np.float32)

    shapes = {"first": (16, 3, 4, 4), "point": (32, 16, 1, 1), "depth": (32, 1, 3, 3), "last": (17, 32, 1, 1)}
    constants = {name: kernel(*shape) for name, shape in shapes.items()}
    constants |= {f"{n}.b": rng.standard_normal(s[0]).astype(np.float32) for n, s in shapes.items()}
    nodes = [
        Node("Conv", ["image", "first", "first.b"], ["f"], {"strides": [4, 4]}, "first"),
        Node("Relu", ["f"], ["fr"]),
        Node("Conv", ["fr", "point", "point.b"], ["p"], {}, "point"),
        Node("HardSwish", ["p"], ["ps"]),
        Node("Conv", ["ps", "depth", "depth.b"], ["d"], {"group": 32, "pads": [1, 1, 1, 1]}, "depth"),
        Node("Conv", ["d", "last", "last.b"], ["heatmaps"], {}, "last"),
    ]
    return Graph(
        nodes,
        constants,
        [TensorInfo("image", TensorProto.FLOAT, ("N", 3, *SIZE))],
        [TensorInfo("heatmaps", TensorProto.FLOAT, ("N", 17, 16, 12))],
    )


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((8, 3, *SIZE)).astype(np.float32)
