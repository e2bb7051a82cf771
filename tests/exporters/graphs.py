"""Small graphs for the tests of passes, and a way to run them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto

from pose_onnx.exporters.graph import Graph, Node, TensorInfo

NEAREST: dict[str, Any] = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


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


class Net:
    """A graph in the making; constants are seeded."""

    def __init__(self, channels: int = 8, size: int = 8) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.shape = ("N", channels, size, size)
        self._rng = np.random.default_rng(0)

    def add(self, op: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        name = to or f"t{len(self.nodes)}"
        self.nodes.append(Node(op, list(inputs), [name], attributes))
        return name

    def constant(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(values)
        return name

    def floats(self, *shape: int, value: float | None = None) -> str:
        array = self._rng.uniform(0.5, 2, shape) if value is None else np.full(shape, value)
        return self.constant(array.astype(np.float32))

    def conv(
        self, x: str, c_in: int, c_out: int, kernel: int = 1, *, stride: int = 1, group: int = 1, to: str = ""
    ) -> str:
        weight = self._rng.standard_normal((c_out, c_in // group, kernel, kernel)).astype(np.float32)
        options = {"pads": [kernel // 2] * 4, "strides": [stride] * 2, "group": group}
        return self.add("Conv", x, self.constant(weight), self.floats(c_out), to=to, **options)

    def norm(self, x: str, channels: int, to: str = "") -> str:
        return self.add("BatchNormalization", x, *(self.floats(channels) for _ in range(4)), to=to)

    def split(self, x: str, *sizes: int) -> list[str]:
        names = [f"s{len(self.nodes)}_{i}" for i in range(len(sizes))]
        self.nodes.append(Node("Split", [x, self.constant(np.array(sizes))], names, {"axis": 1}))
        return names

    def shuffle(self, x: str, channels: int, size: int, groups: int = 2) -> str:
        grouped = self.constant(np.array([-1, groups, channels // groups, size, size]))
        grouped = self.add("Transpose", self.add("Reshape", x, grouped), perm=[0, 2, 1, 3, 4])
        return self.add("Reshape", grouped, self.constant(np.array([-1, channels, size, size])))

    def enlarge(self, x: str, *factors: int) -> str:
        return self.add("Resize", x, "", self.constant(np.array([1, 1, *factors], np.float32)), **NEAREST)

    def pyramid(self, *factors: int) -> list[str]:
        """Convolutions of the image at smaller sizes, enlarged to its own."""
        pools = [self.add("MaxPool", "image", kernel_shape=[f, f], strides=[f, f]) for f in factors]
        return [self.enlarge(self.conv(x, 8, 8), f, f) for f, x in zip(factors, pools, strict=True)]

    def unit(self, x: str, channels: int, size: int) -> str:
        half = channels // 2
        kept, worked = self.split(x, half, half)
        worked = self.add("Relu", self.conv(worked, half, half))
        worked = self.conv(worked, half, half, 3, group=half)
        worked = self.add("Relu", self.conv(worked, half, half))
        return self.shuffle(self.add("Concat", kept, worked, axis=1), channels, size)

    def graph(self, *outputs: str, rank: int = 4) -> Graph:
        return graph_of(self.nodes, self.constants, shape=self.shape, outputs=outputs, rank=rank)


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
