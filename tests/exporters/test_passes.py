"""One example and one refusal for each pass; that they are right is for the fuzzer (test_passes_fuzz.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from pose_onnx import ExportError
from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes import FOR_AVX512, FOR_ORT, SIMPLIFY, Pass, rewrite
from pose_onnx.exporters.passes.flatten_pointwise import FLATTEN_POINTWISE
from pose_onnx.exporters.passes.fold_batch_norm import FOLD_BATCH_NORM
from pose_onnx.exporters.passes.fold_bias import FOLD_BIAS
from pose_onnx.exporters.passes.fold_constants import FOLD_CONSTANTS
from pose_onnx.exporters.passes.fold_orders import FOLD_ORDERS
from pose_onnx.exporters.passes.freeze_shapes import FREEZE_SHAPES
from pose_onnx.exporters.passes.gather_channels import GATHER_CHANNELS
from pose_onnx.exporters.passes.halve_weights import HALVE_WEIGHTS
from pose_onnx.exporters.passes.inline_constants import INLINE_CONSTANTS
from pose_onnx.exporters.passes.merge_branches import MERGE_BRANCHES
from pose_onnx.exporters.passes.merge_reshapes import MERGE_RESHAPES
from pose_onnx.exporters.passes.merge_sums import MERGE_SUMS
from pose_onnx.exporters.passes.remove_no_ops import REMOVE_NO_OPS
from pose_onnx.exporters.passes.separate_filter import SEPARATE_FILTER
from pose_onnx.exporters.passes.spell_out_batch_norm import SPELL_OUT_BATCH_NORM
from pose_onnx.exporters.passes.spell_out_sigmoid import SPELL_OUT_SIGMOID
from pose_onnx.exporters.passes.split_convs import SPLIT_CONVS
from tests.exporters.graphs import NEAREST, Net, graph_of, images, ops, run

ROUNDING = 1e-5  # of the largest value: float32 sums of up to 300 products, in another order


def check(graph: Graph, passes: Sequence[Pass], batch: int = 2, tolerance: float = ROUNDING) -> Graph:
    after = rewrite(graph, passes, strict=True)
    x = images(graph, batch)
    for a, b in zip(run(graph, x), run(after, x), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=tolerance * max(1.0, float(np.abs(a).max())))
    return after


def kept(graph: Graph, passes: Sequence[Pass], batch: int = 2) -> None:
    """The nodes stay as they are, silently."""
    assert check(graph, passes, batch).nodes == graph.nodes


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


# ---- the runner --------------------------------------------------------------------------------------------


def spoil(graph: Graph) -> None:
    graph.nodes[0].inputs[0] = "nowhere"
    graph.constants.clear()
    raise KeyError("axis")


def test_a_pass_that_fails_is_skipped_and_the_graph_says_why() -> None:
    net = Net()
    net.conv("image", 8, 8, to="y")
    graph = net.graph("y")
    after = rewrite(graph, [INLINE_CONSTANTS, Pass("spoil", spoil), FOLD_CONSTANTS])
    assert after.nodes == graph.nodes
    assert after.skipped == ("graph pass 'spoil' (after inline_constants) failed (KeyError: 'axis')",)
    assert rewrite(after, FOR_ORT).skipped == after.skipped
    assert graph.skipped == ()


@pytest.mark.parametrize(
    ("broken", "strict", "reason"),
    [
        (Pass("bad", spoil, required=True), False, r"failed \(KeyError: 'axis'\); please report the model"),
        (Pass("bad", spoil), True, r"failed \(KeyError"),
        (
            Pass("bad", lambda _: None, requires=lambda _: "no image", required=True),
            False,
            "cannot run on this graph: no image",
        ),
        (
            Pass("bad", lambda _: None, ensures=lambda _: "Sin left", required=True),
            False,
            "left a wrong graph: Sin left",
        ),
    ],
)
def test_a_pass_that_must_not_fail_ends_the_export(broken: Pass, reason: str, *, strict: bool) -> None:
    graph = graph_of([Node("Relu", ["image"], ["y"])])
    with pytest.raises(ExportError, match=rf"'bad' \(after inline_constants, fold_constants\) {reason}"):
        rewrite(graph, [*SIMPLIFY[:2], broken], strict=strict)
    assert graph.nodes[0].inputs == ["image"]


# ---- unknown graphs: nothing is raised, nothing changes what is computed -----------------------------------


def computed_kernel(net: Net) -> str:
    one = net.add("ReduceMean", net.add("Softmax", "image", axis=1), axes=[0, 1, 2, 3], keepdims=0)
    convs = []
    shapes: list[tuple[int, ...]] = [(1, 8, 3, 3), (20, 8, 1, 1), (20, 8, 1, 1), (8, 1, 3, 3)]
    for shape in shapes:
        pads, kernel = [shape[-1] // 2] * 4, net.add("Mul", one, net.floats(*shape))
        convs.append(net.add("Conv", "image", kernel, pads=pads, group=8 if shape[1] == 1 else 1))
    summed = net.add("Add", convs[1], net.norm(convs[2], 20))
    return net.add(
        "Add",
        net.add("Add", convs[0], convs[3]),
        net.add("Gather", summed, net.constant(ints(*range(8))), axis=1),
    )


def free_channels(net: Net) -> str:
    net.shape = ("N", "C", 8, 8)  # type: ignore[assignment]  # as a model may say it
    return net.unit("image", 8, 8)


UNKNOWN: dict[str, Callable[[Net], str]] = {
    "computed kernels": computed_kernel,
    "free channels": free_channels,
    "Transpose without perm": lambda net: net.add(
        "Transpose", net.add("Relu", net.add("Transpose", net.shuffle("image", 8, 8)))
    ),
    "nearest 4 to 3": lambda net: net.add(
        "Add",
        *(
            net.add("Resize", net.conv("image", 8, 8), "", net.floats(4, value=1.0), mode="nearest")
            for _ in "ab"
        ),
    ),
    "value of Pad in a vector": lambda net: net.add(
        "Pad", "image", net.constant(ints(0, 0, 1, 1, 0, 0, 1, 1)), net.floats(1, value=2.0)
    ),
    "norm of no convolution": lambda net: net.norm(net.add("Relu", "image"), 8),
    "norm of a convolution that others read": lambda net: net.add(
        "Add", c := net.conv("image", 8, 8), net.norm(c, 8)
    ),
    "sums of sums": lambda net: net.add(
        "Add",
        net.enlarge(
            net.add(
                "Add",
                c := net.conv(net.add("MaxPool", "image", kernel_shape=[2, 2], strides=[2, 2]), 8, 8),
                c,
            ),
            2,
            2,
        ),
        *net.pyramid(4),
    ),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_a_graph_that_no_pass_knows(what: str) -> None:
    net = Net()
    graph = net.graph(UNKNOWN[what](net))
    passes = [*SIMPLIFY, *FOR_AVX512]
    for step in passes:
        if step is not FREEZE_SHAPES:
            check(graph, [step], batch=8)  # free channels, too, are 8
    if all(isinstance(size, int) for size in net.shape[1:]):
        check(graph, passes)


# ---- clean-up ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("value", numpy_helper.from_array(np.full(1, 2, np.float32))),
        ("value_float", 2.0),
        ("value_floats", [2.0]),
    ],
)
def test_inline_constants_drops_constant_and_identity_and_keeps_output_names(
    attribute: str, value: Any
) -> None:
    nodes = [
        Node("Constant", [], ["two"], {attribute: value}),
        Node("Identity", ["two"], ["same_two"]),
        Node("Identity", ["image"], ["x"]),
        Node("Mul", ["x", "same_two"], ["z"]),
        Node("Identity", ["z"], ["y"]),
    ]
    assert ops(check(graph_of(nodes), [INLINE_CONSTANTS])) == ["Mul"]


def test_an_identity_that_names_an_output_stays() -> None:
    nodes = [Node("Relu", ["image"], ["z"]), *(Node("Identity", [x], [y]) for x, y in ("zy", "zw"))]
    after = check(graph_of([*nodes, Node("Identity", ["image"], ["i"])], outputs="ywi"), [INLINE_CONSTANTS])
    assert ops(after) == ["Relu", "Identity", "Identity"]


def test_fold_constants_computes_what_depends_on_no_input() -> None:
    net = Net()
    net.add("Mul", net.add("Relu", "image"), net.add("Exp", net.add("Add", *[net.floats(1)] * 2)), to="y")
    assert ops(check(net.graph("y"), [FOLD_CONSTANTS])) == ["Relu", "Mul"]


def shuffle(batch: str | int) -> Graph:
    """A channel shuffle by shape arithmetic, then a resize to sizes computed in the graph."""
    nodes = [
        Node("Shape", ["image"], ["shape"]),
        Node("Slice", ["shape", "zero", "one", "zero"], ["n"]),
        Node("Concat", ["n", "split"], ["target"], {"axis": 0}),
        Node("Reshape", ["image", "target"], ["a"]),
        Node("Transpose", ["a"], ["b"], {"perm": [0, 2, 1, 3, 4]}),
        Node("Concat", ["n", "joined"], ["back"], {"axis": 0}),
        Node("Reshape", ["b", "back"], ["c"]),
        Node("Slice", ["shape", "zero", "two", "zero"], ["nc"]),
        Node("Concat", ["nc", "size"], ["sizes"], {"axis": 0}),
        Node("Resize", ["c", "", "", "sizes"], ["y"], {"mode": "nearest"}),
    ]
    constants: dict[str, NDArray[Any]] = {
        "zero": ints(0),
        "one": ints(1),
        "two": ints(2),
        "split": ints(2, 2, 6, 6),
        "joined": ints(4, 6, 6),
        "size": ints(12, 19),
    }
    return graph_of(nodes, constants, shape=(batch, 4, 6, 6))


def test_freeze_shapes_leaves_no_arithmetic_and_any_batch() -> None:
    graph = shuffle("N")
    for batch in (1, 3):
        after = check(graph, [FREEZE_SHAPES], batch)
    assert ops(after) == ["Reshape", "Transpose", "Reshape", "Resize"]
    assert after.outputs[0].shape == ("N", 4, 12, 19)


def test_freeze_shapes_frees_a_batch_of_one_that_is_written_into_reshapes() -> None:
    nodes = [Node("Reshape", ["image", "rows"], ["z"]), Node("Reshape", ["z", "flat"], ["y"])]
    graph = graph_of(nodes, {"rows": ints(1, 4, -1), "flat": ints(1, 144)}, shape=(1, 4, 6, 6), rank=2)
    after = rewrite(graph, [FREEZE_SHAPES])
    x = images(graph_of([]), 3)
    np.testing.assert_array_equal(run(after, x)[0], x.reshape(3, 144))


def test_freeze_shapes_makes_constants_of_what_sizes_alone_decide() -> None:
    """A detector's grid: Paddle's yolo_box reads the width from the tensor."""
    net = Net(size=6)
    width = net.add("Cast", net.add("Gather", net.add("Shape", "image"), net.constant(3)), to_type=1)
    columns = net.add("Range", net.floats(value=0), width, net.floats(value=1))
    net.add("Add", "image", columns, to="y")
    net.nodes[2].attributes = {"to": TensorProto.FLOAT}
    for batch in (1, 3):
        assert ops(check(net.graph("y"), [FREEZE_SHAPES], batch)) == ["Add"]


def test_freeze_shapes_keeps_factors() -> None:
    """5 pixels by 1.5 are 7, but not 5 by 1.4: other pixels are repeated."""
    net = Net(size=5)
    net.add("Resize", "image", "", net.constant(np.array([1, 1, 1.5, 1.5], np.float32)), to="y", **NEAREST)
    kept(net.graph("y"), [FREEZE_SHAPES])


def test_freeze_shapes_refuses_a_graph_that_mixes_images() -> None:
    nodes = [
        Node("Transpose", ["image"], ["t"], {"perm": [1, 0, 2, 3]}),
        Node("Reshape", ["t", "rows"], ["y"]),
    ]
    graph = graph_of(nodes, {"rows": ints(-1, 144)}, rank=2)
    with pytest.raises(ExportError, match=r"changes by .* in a batch of 2"):
        rewrite(graph, [FREEZE_SHAPES])


def test_freeze_shapes_needs_a_known_size() -> None:
    with pytest.raises(ExportError, match="height and width must be fixed"):
        rewrite(graph_of([Node("Relu", ["image"], ["y"])], shape=("N", 3, "H", "W")), [FREEZE_SHAPES])


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_fold_batch_norm(op: str) -> None:
    net = Net()
    net.norm(net.add(op, "image", net.floats(8, 8, 3, 3), net.floats(8)), 8, to="y")
    assert ops(check(net.graph("y"), [FOLD_BATCH_NORM])) == [op]


def test_a_bias_beside_the_convolution_goes_into_it_with_the_norm() -> None:
    """As paddle2onnx writes a bias, whether the convolution has one or not."""
    for own in ((), (8,)):
        net = Net()
        x = net.add("Conv", "image", net.floats(8, 8, 3, 3), *(net.floats(size) for size in own))
        net.norm(net.add("Add", x, net.floats(1, 8, 1, 1)), 8, to="y")
        assert ops(check(net.graph("y"), [FOLD_BIAS, FOLD_BATCH_NORM])) == ["Conv"]


def test_a_sum_that_is_no_bias_of_a_norm_stays() -> None:
    net = Net()
    net.add("Add", net.conv("image", 8, 8), net.floats(1, 8, 1, 1), to="y")
    kept(net.graph("y"), [FOLD_BIAS])
    net = Net()
    net.norm(net.add("Add", net.conv("image", 8, 8), net.floats(1, 1, 1, 8)), 8, to="y")
    kept(net.graph("y"), [FOLD_BIAS])
    net = Net()
    read_twice = net.conv("image", 8, 8)
    net.norm(net.add("Add", read_twice, net.floats(1, 8, 1, 1)), 8, to="y")
    net.add("Relu", read_twice, to="z")
    kept(net.graph("y", "z"), [FOLD_BIAS])


@pytest.mark.parametrize("bias", ["bias", ""])
def test_a_deformable_convolution_takes_bias_and_norm(bias: str) -> None:
    net = Net()
    offsets, mask = net.conv("image", 8, 18, 3), net.add("Sigmoid", net.conv("image", 8, 9, 3))
    words = ["image", net.floats(8, 8, 3, 3), offsets, net.floats(8) if bias else "", mask]
    x = net.add("DeformConv", *words, pads=[1] * 4, kernel_shape=[3, 3])
    net.norm(net.add("Add", x, net.floats(1, 8, 1, 1)), 8, to="y")
    graph = replace(net.graph("y"), opsets={"": 19})
    assert ops(check(graph, [FOLD_BIAS, FOLD_BATCH_NORM]))[-1] == "DeformConv"


def test_a_norm_of_something_else_stays() -> None:
    net = Net()
    net.norm(net.add("Relu", "image"), 8, to="y")
    kept(net.graph("y"), [FOLD_BATCH_NORM])


def test_a_norm_of_something_else_is_spelled_out() -> None:
    net = Net()
    net.norm(net.add("Relu", "image"), 8, to="y")
    assert ops(check(net.graph("y"), [SPELL_OUT_BATCH_NORM])) == ["Relu", "Mul", "Add"]


def test_a_norm_of_rows_is_spelled_out() -> None:
    net = Net()
    net.norm(net.add("Reshape", "image", net.constant(ints(-1, 8, 64))), 8, to="y")
    assert ops(check(net.graph("y", rank=3), [SPELL_OUT_BATCH_NORM])) == ["Reshape", "Mul", "Add"]


def test_remove_no_ops() -> None:
    net = Net()
    x = net.add("Add", net.add("Div", "image", net.floats(1, 1, 8, value=1)), net.floats(1, value=0))
    x = net.add("Clip", net.add("Sum", net.add("Concat", net.add("Transpose", x, perm=[0, 1, 2, 3]), axis=1)))
    net.add("Relu", net.add("Resize", x, "", net.floats(4, value=1)), to="y")
    assert ops(check(net.graph("y"), [REMOVE_NO_OPS])) == ["Relu"]


@pytest.mark.parametrize("shape", [(4,), (1, 1, 1, 1, 1)])
def test_ones_that_make_a_tensor_larger_stay(shape: tuple[int, ...]) -> None:
    net = Net()
    column = net.add("ReduceMean", "image", axes=[3])
    net.add("Mul", column, net.floats(*shape, value=1), to="y")
    kept(net.graph("y", rank=max(4, len(shape))), [REMOVE_NO_OPS])


def test_a_resize_to_one_pixel_stays() -> None:
    net = Net()
    net.add(
        "Resize",
        net.add("Gather", "image", net.constant(ints(0)), axis=1),
        "",
        "",
        net.constant(ints(1, 1, 1, 1)),
        to="y",
    )
    kept(net.graph("y"), [REMOVE_NO_OPS], batch=1)


def test_merge_reshapes_also_over_transposes_of_unit_axes() -> None:
    nodes = [
        Node("Transpose", ["image"], ["a"], {"perm": [0, 2, 3, 1]}),
        Node("Reshape", ["a", "rows"], ["b"]),
        Node("Reshape", ["b", "flat"], ["y"]),
    ]
    constants = {"rows": ints(-1, 6, 6), "flat": ints(-1, 36)}
    graph = graph_of(nodes, constants, shape=("N", 1, 6, 6), rank=2)
    assert ops(check(graph, [MERGE_RESHAPES])) == ["Reshape"]


@pytest.mark.parametrize(
    ("first", "target"),
    [
        (Node("Transpose", ["image"], ["a"]), ints(-1, 144)),
        (Node("Reshape", ["image", "r"], ["a"]), ints(0, 0)),
    ],
)
def test_what_a_reshape_depends_on_stays(first: Node, target: NDArray[np.int64]) -> None:
    graph = graph_of([first, Node("Reshape", ["a", "t"], ["y"])], {"t": target, "r": ints(-1, 144)}, rank=2)
    kept(graph, [MERGE_RESHAPES])


def test_spelled_out_sigmoid_is_exact_where_it_is_small() -> None:
    nodes = [
        Node("Sigmoid", ["image"], ["s"]),
        Node("Add", ["s", "epsilon"], ["t"]),
        Node("Sqrt", ["t"], ["y"]),
    ]
    graph = graph_of(nodes, {"epsilon": np.full(1, 1e-9, np.float32)})
    after = rewrite(graph, [SPELL_OUT_SIGMOID])
    assert "Sigmoid" not in ops(after)
    x = np.linspace(-25, 5, 144, dtype=np.float32).reshape(1, 4, 6, 6)
    exact = np.sqrt(1 / (1 + np.exp(-x.astype(np.float64))) + 1e-9)
    assert np.abs(run(after, x)[0] - exact).max() < 2e-7
    # What the pass is for: without it this is worse than the bar of scores.
    assert np.abs(run(graph, x)[0] - exact).max() > 5e-6


def test_sigmoids_that_no_root_follows_stay() -> None:
    kept(
        graph_of([Node("Sigmoid", ["image"], ["s"]), Node("Mul", ["image", "s"], ["y"])]), [SPELL_OUT_SIGMOID]
    )


# ---- convolutions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [1, 4])
def test_branches_with_a_factor_are_one_convolution(group: int) -> None:
    net = Net()
    branches = [net.conv("image", 8, 8, kernel, stride=2, group=group) for kernel in (3, 1, 5)]
    branches[1] = net.add("Mul", net.floats(1), branches[1])
    net.add("Add", net.add("Add", *branches[:2]), branches[2], to="y")
    assert ops(check(net.graph("y"), [MERGE_BRANCHES])) == ["Conv"]


BRANCHES: dict[str, Callable[[Net], tuple[str, ...]]] = {
    "read by others": lambda net: (b := net.conv("image", 8, 8), net.add("Relu", b)),
    "an output": lambda net: (b := net.conv("image", 8, 8), b),
    "of another tensor": lambda net: (net.conv(net.add("Relu", "image"), 8, 8),),
    "shifted": lambda net: (net.add("Conv", "image", net.floats(8, 8, 3, 3), pads=[2, 2, 0, 0]),),
}


@pytest.mark.parametrize("what", BRANCHES)
def test_other_branches_stay(what: str) -> None:
    net = Net()
    branch, *outputs = BRANCHES[what](net)
    net.add("Add", net.conv("image", 8, 8, 3), branch, to="y")
    kept(net.graph("y", *outputs), [MERGE_BRANCHES])


def test_one_filter_is_applied_channel_by_channel() -> None:
    net = Net()
    net.conv("image", 8, 1, 5, stride=2, to="y")
    after = check(net.graph("y"), [SEPARATE_FILTER])
    assert [node.attributes.get("group", 1) for node in after.nodes] == [8, 1]


@pytest.mark.parametrize(("filters", "kernel"), [(2, 3), (1, 1)])
def test_other_convolutions_are_not_separated(filters: int, kernel: int) -> None:
    net = Net()
    net.conv("image", 8, filters, kernel, to="y")
    kept(net.graph("y"), [SEPARATE_FILTER])


def test_a_split_convolution_is_several() -> None:
    net = Net()
    first, second = net.split(net.add("Relu", net.conv("image", 8, 48, 3)), 16, 32)
    after = check(net.graph(net.add("Relu", first), net.add("Exp", second)), [SPLIT_CONVS])
    assert ops(after) == ["Conv", "Relu", "Conv", "Relu", "Relu", "Exp"]


@pytest.mark.parametrize(("sizes", "read_twice"), [((8, 24), False), ((16, 16), True)])
def test_parts_of_blocks_and_convolutions_that_others_read_are_not_split(
    sizes: tuple[int, int], *, read_twice: bool
) -> None:
    net = Net()
    x = net.conv("image", 8, 32)
    parts = net.split(x, *sizes)
    kept(net.graph(*parts, *([net.add("Relu", x)] if read_twice else [])), [SPLIT_CONVS])


def test_sums_of_several_sizes_are_added_small_first() -> None:
    net = Net(size=16)
    total = net.add("Add", "image", "image")
    x = net.conv("image", 8, 8)
    for term in (*net.pyramid(2, 4, 8), net.add("Add", x, x)):
        total = net.add("Add", total, term)
    after = check(net.graph(total), [MERGE_SUMS])
    factors = [after.constants[node.inputs[2]].tolist() for node in after.of_type("Resize")]
    assert factors == [[1, 1, 2, 2]] * 3
    assert ops(after).count("Add") == 5  # the convolution that is added twice has doubled weights


def test_sums_of_sizes_that_do_not_divide_stay() -> None:
    net = Net(size=6)
    kept(net.graph(net.add("Add", *net.pyramid(2, 3))), [MERGE_SUMS])


def test_wasteful_pointwise_convolutions_between_moves_are_matrix_products() -> None:
    net = Net(size=5)
    x = net.add("Relu", net.conv(net.add("Concat", "image", "image", axis=1), 16, 20))
    net.add("Concat", x, "image", axis=1, to="y")
    after = check(net.graph("y"), [FLATTEN_POINTWISE])
    assert ops(after) == ["Concat", "Reshape", "Conv", "Relu", "Reshape", "Concat"]
    assert [after.constants[node.inputs[1]].ndim for node in after.of_type("Conv")] == [3]


@pytest.mark.parametrize(("c_out", "kernel", "stride"), [(16, 1, 1), (1, 1, 1), (20, 3, 1), (20, 1, 2)])
def test_other_convolutions_stay_over_images(c_out: int, kernel: int, stride: int) -> None:
    net = Net(16)
    x = net.add("Gather", "image", net.constant(np.arange(16)), axis=1)
    net.conv(x, 16, c_out, kernel, stride=stride, to="y")
    kept(net.graph("y"), [FLATTEN_POINTWISE])


def test_halve_weights_stores_float16_and_computes_float32() -> None:
    net = Net()
    net.conv("image", 8, 8, 3, to="y")
    after = check(net.graph("y"), [HALVE_WEIGHTS], tolerance=2.0**-9)  # each weight is off by up to 2^-11
    assert [after.constants[name].dtype.name for name in ("c0.half", "c1")] == ["float16", "float32"]
    assert after.nodes[0].attributes["to"] == TensorProto.FLOAT


def test_halve_weights_stores_those_of_deformable_convolutions_too() -> None:
    net = Net()
    offsets = net.conv("image", 8, 18, 3)
    weights = net.floats(8, 8, 3, 3)
    net.add("DeformConv", "image", weights, offsets, pads=[1] * 4, kernel_shape=[3, 3], to="y")
    graph = replace(net.graph("y"), opsets={"": 19})
    after = check(graph, [HALVE_WEIGHTS], tolerance=2.0**-8)  # those of the offsets too
    assert after.constants[f"{weights}.half"].dtype == np.float16


def test_weights_that_float16_cannot_hold_are_an_error() -> None:
    net = Net()
    net.add("Conv", "image", net.floats(8, 8, 1, 1, value=1e6), to="y")
    with pytest.raises(ExportError, match="range of float16"):
        rewrite(net.graph("y"), [HALVE_WEIGHTS])


# ---- channels that move ------------------------------------------------------------------------------------

ENDS: dict[str, Callable[[Net, str, str], str]] = {
    "output": lambda net, x, _other: net.add("Identity", x),
    "pointwise": lambda net, x, _other: net.conv(x, 8, 5),
    "depthwise": lambda net, x, _other: net.conv(net.conv(x, 8, 8, 3, stride=2, group=8), 8, 8, 3),
    "grouped": lambda net, x, _other: net.conv(x, 8, 8, group=2),
    "added to a convolution": lambda net, x, other: net.conv(net.add("Add", x, net.conv(other, 8, 8)), 8, 4),
    "added to an input": lambda net, x, other: net.conv(net.add("Add", other, x), 8, 4),
    "weighted": lambda net, x, _other: net.conv(
        net.add("Mul", x, net.add("Sigmoid", net.conv(net.add("GlobalAveragePool", x), 8, 8))), 8, 4
    ),
    "weighted by pixels": lambda net, x, other: net.conv(
        net.add("Mul", x, net.add("Sigmoid", net.conv(other, 8, 1))), 8, 4
    ),
    "times constants": lambda net, x, _other: net.conv(net.add("Mul", x, net.floats(8, 1, 1)), 8, 4),
    "enlarged": lambda net, x, _other: net.conv(net.enlarge(x, 2, 2), 8, 4),
    "in rows": lambda net, x, _other: net.add("Reshape", x, net.constant(ints(-1, 8, 64, 1))),
    "concatenated": lambda net, x, other: net.conv(net.add("Concat", other, x, axis=1), 16, 4),
    "twice": lambda net, x, _other: net.shuffle(net.add("Concat", x, x, axis=1), 16, 8),
    "split": lambda net, x, _other: net.add("Concat", *reversed(net.split(x, 3, 5)), axis=1),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("units", [1, 2])
def test_shuffles_go_into_weights(units: int, end: str) -> None:
    net = Net()
    x = net.add("Relu", net.conv("image", 8, 8))
    for _ in range(units):
        x = net.unit(x, 8, 8)
    after = check(net.graph(ENDS[end](net, x, "image")), [GATHER_CHANNELS, FOLD_ORDERS])
    assert "Transpose" not in ops(after)


def test_a_shuffle_between_convolutions_leaves_nothing() -> None:
    net = Net()
    net.conv(net.shuffle(net.conv("image", 8, 8), 8, 8), 8, 8, 3, to="y")
    assert ops(check(net.graph("y"), [GATHER_CHANNELS, FOLD_ORDERS])) == ["Conv", "Conv"]


def test_a_reshape_that_moves_pixels_is_no_shuffle() -> None:
    net = Net()
    grouped = net.add("Reshape", "image", net.constant(ints(-1, 2, 4, 4, 16)))
    grouped = net.add("Transpose", grouped, perm=[0, 2, 1, 3, 4])
    net.add("Reshape", grouped, net.constant(ints(-1, 8, 8, 8)), to="y")
    kept(net.graph("y"), [GATHER_CHANNELS, FOLD_ORDERS])


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
    net.conv(net.unit(net.add("Add", net.conv("image", 8, 8), *net.pyramid(2)), 8, 8), 8, 4, to="y")
    graph = rewrite(net.graph("y"), SIMPLIFY)
    again = Graph.from_model(check(graph, FOR_ORT).to_model())
    names = [node.name for node in check(again, FOR_ORT).to_model().graph.node]
    assert len(set(names)) == len(names)
