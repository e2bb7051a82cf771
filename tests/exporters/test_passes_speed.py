"""Passes that make a graph faster: each gives what it was given, and leaves the operators it promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes import FOR_ORT, SIMPLIFY, Pass, rewrite
from pose_onnx.exporters.passes.double_parts import DOUBLE_PARTS
from pose_onnx.exporters.passes.flatten_pointwise import FLATTEN_POINTWISE
from pose_onnx.exporters.passes.fold_orders import FOLD_ORDERS
from pose_onnx.exporters.passes.gather_channels import GATHER_CHANNELS
from pose_onnx.exporters.passes.join_gathers import JOIN_GATHERS
from pose_onnx.exporters.passes.merge_sums import MERGE_SUMS
from pose_onnx.exporters.passes.rank_scalars import RANK_SCALARS
from pose_onnx.exporters.passes.resize_planes import RESIZE_PLANES
from pose_onnx.exporters.passes.separate_filter import SEPARATE_FILTER
from pose_onnx.exporters.passes.split_convs import SPLIT_CONVS
from tests.exporters.graphs import graph_of, images, ops, run

ROUNDING = 1e-6  # of the largest value: float32 sums in another order
# Bytes, as in a graph that was read from a file.
NEAREST = {"mode": b"nearest", "coordinate_transformation_mode": b"asymmetric", "nearest_mode": b"floor"}


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

    def conv(
        self, x: str, c_in: int, c_out: int, kernel: int = 1, *, stride: int = 1, group: int = 1, to: str = ""
    ) -> str:
        weight = self._rng.standard_normal((c_out, c_in // group, kernel, kernel)).astype(np.float32)
        bias = self._rng.standard_normal(c_out).astype(np.float32)
        options = {"pads": [kernel // 2] * 4, "strides": [stride] * 2, "group": group}
        return self.add("Conv", x, self.constant(weight), self.constant(bias), to=to, **options)

    def split(self, x: str, *sizes: int) -> list[str]:
        names = [f"s{len(self.nodes)}_{i}" for i in range(len(sizes))]
        self.nodes.append(Node("Split", [x, self.constant(np.array(sizes))], names, {"axis": 1}))
        return names

    def shuffle(self, x: str, channels: int, size: int, groups: int = 2) -> str:
        grouped = self.constant(np.array([-1, groups, channels // groups, size, size]))
        grouped = self.add("Transpose", self.add("Reshape", x, grouped), perm=[0, 2, 1, 3, 4])
        return self.add("Reshape", grouped, self.constant(np.array([-1, channels, size, size])))

    def enlarge(self, x: str, *factors: int) -> str:
        return self.add(
            "Resize", x, "", self.constant(np.array([1, 1, *factors], np.float32)), to="", **NEAREST
        )

    def unit(self, x: str, channels: int, size: int) -> str:
        half = channels // 2
        kept, worked = self.split(x, half, half)
        worked = self.add("Relu", self.conv(worked, half, half))
        worked = self.conv(worked, half, half, 3, group=half)
        worked = self.add("Relu", self.conv(worked, half, half))
        return self.shuffle(self.add("Concat", kept, worked, axis=1), channels, size)

    def graph(self, *outputs: str, rank: int = 4) -> Graph:
        return graph_of(self.nodes, self.constants, shape=self.shape, outputs=outputs, rank=rank)


def check(graph: Graph, passes: Sequence[Pass], batch: int = 2) -> Graph:
    after = rewrite(graph, passes)
    x = images(graph, batch)
    for a, b in zip(run(graph, x), run(after, x), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=float(ROUNDING * np.abs(a).max()))
    return after


@pytest.mark.parametrize("bias", [True, False])
def test_one_filter_is_applied_channel_by_channel(*, bias: bool) -> None:
    net = Net()
    net.conv("image", 8, 1, 5, stride=2, to="y")
    if not bias:
        net.nodes[-1].inputs.pop()
    after = check(net.graph("y"), [SEPARATE_FILTER])
    assert [node.attributes.get("group", 1) for node in after.nodes] == [8, 1]


@pytest.mark.parametrize(("filters", "kernel"), [(2, 3), (1, 1)])
def test_other_convolutions_are_not_separated(filters: int, kernel: int) -> None:
    net = Net()
    net.conv("image", 8, filters, kernel, to="y")
    assert ops(rewrite(net.graph("y"), [SEPARATE_FILTER])) == ["Conv"]


@pytest.mark.parametrize("activation", ["Relu", None])
def test_a_split_convolution_is_several(activation: str | None) -> None:
    net = Net()
    x = net.conv("image", 8, 48, 3, stride=2)
    first, second = net.split(net.add(activation, x) if activation else x, 16, 32)
    net.add("Relu", first, to="y")
    net.add("Relu", second, to="z")
    after = check(net.graph("y", "z"), [SPLIT_CONVS])
    assert ops(after) == ["Conv", *([activation] if activation else [])] * 2 + ["Relu", "Relu"]


@pytest.mark.parametrize(("sizes", "read_twice"), [((8, 24), False), ((16, 16), True)])
def test_parts_of_blocks_and_convolutions_that_others_read_are_not_split(
    sizes: tuple[int, int], *, read_twice: bool
) -> None:
    net = Net()
    x = net.conv("image", 8, 32)
    first, second = net.split(x, *sizes)
    outputs = [net.add("Relu", first), net.add("Relu", second), *([net.add("Relu", x)] if read_twice else [])]
    assert "Split" in ops(rewrite(net.graph(*outputs), [SPLIT_CONVS]))


def pyramid(net: Net, *factors: tuple[int, int]) -> list[str]:
    """Convolutions of sizes that are enlarged to that of the image."""
    convs = []
    for rows, columns in factors:
        small = net.add("MaxPool", "image", kernel_shape=[rows, columns], strides=[rows, columns])
        convs.append(net.enlarge(net.conv(small, 8, 8), rows, columns))
    return convs


def test_sums_of_several_sizes_are_added_small_first() -> None:
    net = Net(size=16)
    total = net.add("Add", "image", "image")
    for x in pyramid(net, (2, 2), (8, 4), (4, 4), (2, 2)):
        total = net.add("Add", total, x)
    net.add("Add", total, net.conv("image", 8, 8), to="y")
    after = check(net.graph("y"), [MERGE_SUMS])
    factors = [after.constants[node.inputs[2]].tolist() for node in after.of_type("Resize")]
    assert factors == [[1, 1, 2, 1], [1, 1, 2, 2], [1, 1, 2, 2]]
    assert next(node for node in after.nodes if node.outputs == ["y"]).op == "Add"


def test_a_convolution_added_twice_has_its_weights_doubled() -> None:
    net = Net()
    x = net.conv("image", 8, 8)
    (up,) = pyramid(net, (2, 2))
    net.add("Add", net.add("Add", net.add("Add", x, x), "image"), net.add("Add", up, up), to="y")
    after = check(net.graph("y"), [MERGE_SUMS])
    assert ops(after).count("Add") == 2


def test_sums_of_sizes_that_do_not_divide_stay() -> None:
    net = Net(size=6)
    first, second = pyramid(net, (2, 2), (3, 3))
    net.add("Add", first, second, to="y")
    assert ops(check(net.graph("y"), [MERGE_SUMS])).count("Resize") == 2


def test_a_sum_that_others_read_stays() -> None:
    net = Net()
    x = net.conv("image", 8, 8)
    inner = net.add("Add", x, x)
    net.add("Add", inner, "image", to="y")
    net.add("Relu", inner, to="z")
    check(net.graph("y", "z"), [MERGE_SUMS])


ENDS: dict[str, Callable[[Net, str, str], str]] = {
    "output": lambda net, x, _other: net.add("Identity", x),
    "pointwise": lambda net, x, _other: net.conv(x, 8, 5),
    "depthwise": lambda net, x, _other: net.conv(net.conv(x, 8, 8, 3, stride=2, group=8), 8, 8, 3),
    "grouped": lambda net, x, _other: net.conv(x, 8, 8, group=2),
    "added to a convolution": lambda net, x, other: net.conv(net.add("Add", x, net.conv(other, 8, 8)), 8, 4),
    "added to an input": lambda net, x, other: net.conv(net.add("Add", other, x), 8, 4),
    "added to itself": lambda net, x, _other: net.conv(net.add("Add", x, x), 8, 4),
    "added to a sum": lambda net, x, other: net.add(
        "Relu", net.add("Add", net.add("Add", net.conv(other, 8, 8), net.conv(other, 8, 8)), x)
    ),
    "weighted": lambda net, x, _other: net.conv(
        net.add("Mul", x, net.add("Sigmoid", net.conv(net.add("GlobalAveragePool", x), 8, 8))), 8, 4
    ),
    "times constants": lambda net, x, _other: net.conv(
        net.add("Mul", x, net.constant(np.arange(8, dtype=np.float32)[:, None, None])), 8, 4
    ),
    "enlarged": lambda net, x, _other: net.conv(net.enlarge(x, 2, 2), 8, 4),
    "in rows": lambda net, x, _other: net.add("Reshape", x, net.constant(np.array([-1, 8, 64, 1]))),
    "concatenated": lambda net, x, other: net.conv(net.add("Concat", other, x, axis=1), 16, 4),
    "split": lambda net, x, _other: net.add("Concat", *reversed(net.split(x, 3, 5)), axis=1),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("units", [1, 2, 3])
def test_shuffles_go_into_weights(units: int, end: str) -> None:
    net = Net()
    x = net.add("Relu", net.conv("image", 8, 8))
    for _ in range(units):
        x = net.unit(x, 8, 8)
    y = ENDS[end](net, x, "image")
    after = check(net.graph(y), [GATHER_CHANNELS, FOLD_ORDERS])
    assert "Transpose" not in ops(after)


@settings(deadline=None, max_examples=20)
@given(
    groups=st.sampled_from([2, 3, 4]), each=st.integers(1, 3), cut=st.integers(1, 5), seed=st.integers(0, 9)
)
def test_any_moves_of_channels(groups: int, each: int, cut: int, seed: int) -> None:
    channels = groups * each
    net = Net(channels)
    x = net.shuffle(net.conv("image", channels, channels), channels, 8, groups)
    order = np.random.default_rng(seed).permutation(2)
    cut = min(cut, channels - 1)
    if channels > 1:
        parts = net.split(x, cut, channels - cut)
        x = net.add("Concat", *(parts[i] for i in order), axis=1)
    x = net.shuffle(net.add("Add", x, net.conv("image", channels, channels)), channels, 8, groups)
    net.conv(x, channels, 2, to="y")
    check(net.graph("y"), [GATHER_CHANNELS, FOLD_ORDERS])


def test_a_shuffle_between_convolutions_leaves_nothing() -> None:
    net = Net()
    net.conv(net.shuffle(net.conv("image", 8, 8), 8, 8), 8, 8, 3, to="y")
    assert ops(check(net.graph("y"), [GATHER_CHANNELS, FOLD_ORDERS])) == ["Conv", "Conv"]


def test_a_reshape_that_moves_pixels_is_no_shuffle() -> None:
    net = Net()
    grouped = net.add("Reshape", "image", net.constant(np.array([-1, 2, 4, 4, 16])))
    grouped = net.add("Transpose", grouped, perm=[0, 2, 1, 3, 4])
    net.add("Reshape", grouped, net.constant(np.array([-1, 8, 8, 8])), to="y")
    assert "Transpose" in ops(check(net.graph("y"), [GATHER_CHANNELS, FOLD_ORDERS]))


def test_a_concatenation_added_to_itself_is_made_of_doubled_parts() -> None:
    net = Net()
    parts = [net.add("Relu", net.conv("image", 8, 8)), "image", net.conv("image", 8, 4)]
    x = net.add("Concat", *parts, axis=1)
    net.add("Add", x, x, to="y")
    after = check(net.graph("y"), [DOUBLE_PARTS])
    assert sorted(ops(after)) == ["Add", "Concat", "Conv", "Conv", "Relu"]
    assert next(after.of_type("Add")).inputs == ["image", "image"]


def test_a_part_that_others_read_is_not_doubled_for_them() -> None:
    net = Net()
    part = net.add("Relu", net.conv("image", 8, 8))
    x = net.add("Concat", part, "image", axis=1)
    net.add("Add", x, x, to="y")
    net.add("Sigmoid", part, to="z")
    check(net.graph("y", "z"), [DOUBLE_PARTS])


@pytest.mark.parametrize("rectified", [True, False])
def test_wasteful_pointwise_convolutions_between_moves_are_matrix_products(*, rectified: bool) -> None:
    net = Net(size=5)
    x = net.conv(net.add("Concat", "image", "image", axis=1), 16, 20)
    net.add("Concat", net.add("Relu", x) if rectified else x, "image", axis=1, to="y")
    after = check(net.graph("y"), [FLATTEN_POINTWISE])
    relu = ["Relu"] if rectified else []
    assert ops(after) == ["Concat", "Reshape", "Conv", *relu, "Reshape", "Concat"]
    assert [after.constants[node.inputs[1]].ndim for node in after.of_type("Conv")] == [3]


@pytest.mark.parametrize(
    ("c_out", "kernel", "stride", "moved"),
    [(16, 1, 1, True), (1, 1, 1, True), (20, 3, 1, True), (20, 1, 2, True), (20, 1, 1, False)],
)
def test_other_convolutions_stay_over_images(*, c_out: int, kernel: int, stride: int, moved: bool) -> None:
    net = Net(16)
    x = net.add("Gather", "image", net.constant(np.arange(16)), axis=1) if moved else "image"
    net.add("Sigmoid", net.conv(x, 16, c_out, kernel, stride=stride), to="y")
    assert "Reshape" not in ops(rewrite(net.graph("y"), [FLATTEN_POINTWISE]))


@pytest.mark.parametrize(("reader", "reshapes"), [("Add", 2), ("Mul", 0)])
def test_what_is_added_is_enlarged_in_planes(reader: str, reshapes: int) -> None:
    net = Net()
    (up,) = pyramid(net, (2, 4))
    net.add(reader, "image", up, to="y")
    assert ops(check(net.graph("y"), [RESIZE_PLANES])).count("Reshape") == reshapes


@pytest.mark.parametrize(
    ("runs", "joined"),
    [([[3, 4, 5, 6, 7], [0, 1, 2]], True), ([[0, 1, 2], [4, 5, 6, 7]], False), ([[1, 0], [2, 3]], False)],
)
def test_runs_of_channels_are_split_at_once(runs: list[list[int]], *, joined: bool) -> None:
    net = Net()
    parts = [net.add("Gather", "image", net.constant(np.array(run)), axis=1) for run in runs]
    net.add("Concat", *parts, axis=1, to="y")
    assert ops(check(net.graph("y"), [JOIN_GATHERS]))[0] == ("Split" if joined else "Gather")


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_scalars_have_the_rank_of_what_they_are_combined_with(shape: tuple[int, ...]) -> None:
    net = Net()
    rows = net.add("Reshape", "image", net.constant(np.array([-1, 512, 1])))
    net.add("Div", net.constant(np.full(shape, 2, np.float32)), net.add("Exp", rows), to="y")
    after = check(net.graph("y", rank=3), [RANK_SCALARS])
    assert after.constants[next(after.of_type("Div")).inputs[0]].shape == (1, 1, 1)


def test_all_together_on_two_branches() -> None:
    """As in Lite-HRNet: units on two resolutions, each fused into the other."""
    net = Net(3, 16)
    high = net.add("Relu", net.conv("image", 3, 40, 3))
    low = net.add("Relu", net.conv(high, 40, 80, 3, stride=2))
    for _ in range(2):
        high, low = net.unit(net.unit(high, 40, 16), 40, 16), net.unit(net.unit(low, 80, 8), 80, 8)
        high = net.add("Add", net.add("Add", high, high), net.enlarge(net.conv(low, 80, 40), 2, 2))
        down = net.conv(net.conv(high, 40, 40, 3, stride=2, group=40), 40, 80)
        low = net.add("Relu", net.add("Add", net.add("Add", down, down), low))
        high = net.add("Relu", high)
    net.conv(net.add("Add", high, net.enlarge(net.conv(low, 80, 40), 2, 2)), 40, 17, to="y")
    after = check(net.graph("y"), [*SIMPLIFY, *FOR_ORT], batch=3)
    assert "Transpose" not in ops(after)


def test_a_written_graph_can_be_read_and_rewritten() -> None:
    """Names that were given when it was written are not given again."""
    net = Net()
    net.add("Add", net.conv("image", 8, 8), pyramid(net, (2, 2))[0], to="y")
    again = Graph.from_model(net.graph("y").to_model())
    check(again, FOR_ORT)
    names = [node.name for node in rewrite(again, FOR_ORT).to_model().graph.node]
    assert len(set(names)) == len(names)
