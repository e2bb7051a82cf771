"""Arithmetic, activations, reductions and products against ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from pose_onnx.exporters.tflite import UnsupportedOperatorError, convert
from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._operators import Operator

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = (6, 5, 4)
# Transcendental functions are approximated, by either side in its own way, to a few units in the last place.
APPROXIMATION = 1e-5


def random_array(*shape: int, low: float = 0.5, high: float = 2.0) -> Any:
    return np.random.default_rng(len(shape)).uniform(low, high, shape).astype(np.float32)


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"])
@pytest.mark.parametrize("shape", [(), (1,), (4,), (6, 1, 1), (1, 6, 1, 1), (5, 4), (1, 6, 5, 1), (6, 5, 4)])
@pytest.mark.parametrize("constant_first", [False, True])
def test_binary_with_a_constant(
    compare: Callable[..., list[str]], kind: str, shape: tuple[int, ...], constant_first: bool
) -> None:
    names = ["c", "x"] if constant_first else ["x", "c"]
    node = helper.make_node(kind, names, ["y"])
    operators = compare(
        [node], {"x": IMAGE}, constants={"c": random_array(*shape)}, low=0.5, tolerance=APPROXIMATION
    )
    assert len(operators) == 1


@pytest.mark.parametrize("shape", [IMAGE, (6, 1, 1), (1, 5, 4), (1, 1, 1)])
@pytest.mark.parametrize("kind", ["Add", "Mul", "Div", "Sub", "Max"])
def test_binary_with_an_image(compare: Callable[..., list[str]], kind: str, shape: tuple[int, ...]) -> None:
    node = helper.make_node(kind, ["x", "z"], ["y"])
    assert len(compare([node], {"x": IMAGE, "z": shape}, low=0.5)) == 1


@pytest.mark.parametrize("kind", ["Sum", "Max", "Min"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_variadic(compare: Callable[..., list[str]], kind: str, count: int) -> None:
    names = [f"x{index}" for index in range(count)]
    compare([helper.make_node(kind, names, ["y"])], dict.fromkeys(names, IMAGE))


def test_binary_reads_a_transposed_input_through_one_transpose(compare: Callable[..., list[str]]) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Add", ["t", "z"], ["y"]),
    ]
    assert "TRANSPOSE" in compare(nodes, {"x": (6, 5, 4), "z": (5, 4, 6)})


@pytest.mark.parametrize(
    "kind",
    ["Abs", "Ceil", "Cos", "Elu", "Exp", "Floor", "HardSwish", "Neg", "Relu", "Sigmoid", "Sin", "Tanh"],
)
@pytest.mark.parametrize("shape", [IMAGE, (7,), (7, 3)])
def test_unary(compare: Callable[..., list[str]], kind: str, shape: tuple[int, ...]) -> None:
    operators = compare(
        [helper.make_node(kind, ["x"], ["y"])], {"x": shape}, low=-5, high=5, tolerance=APPROXIMATION
    )
    assert len(operators) == 1


@pytest.mark.parametrize("kind", ["Log", "Sqrt"])
def test_unary_of_positive_numbers(compare: Callable[..., list[str]], kind: str) -> None:
    compare([helper.make_node(kind, ["x"], ["y"])], {"x": IMAGE}, low=0.1, tolerance=APPROXIMATION)


@pytest.mark.parametrize("bound", [0.005, -0.3, 0.0, 1.0])
def test_greater_is_exact(compare: Callable[..., list[str]], bound: float) -> None:
    """At the bound and one step beside it, too."""
    step = np.float32(bound)
    near = [np.nextafter(step, np.float32(side)) for side in (-np.inf, np.inf)] if bound else [-1e-3, 1e-3]
    table = np.array([[bound, *near, -5, 5]], np.float32)
    nodes = [
        helper.make_node("Mul", ["x", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "table"], ["numbers"]),
        helper.make_node("Greater", ["numbers", "bound"], ["far"]),
        helper.make_node("Cast", ["far"], ["y"], to=TensorProto.FLOAT),
    ]
    constants = {"nothing": np.zeros(1, np.float32), "table": table, "bound": np.array([bound], np.float32)}
    compare(nodes, {"x": (5,)}, constants=constants, tolerance=0)


@pytest.mark.parametrize(("exponent", "operator"), [(0.5, "SQRT"), (2.0, "SQUARE"), (3.0, "POW")])
def test_pow_of_a_number(compare: Callable[..., list[str]], exponent: float, operator: str) -> None:
    node = helper.make_node("Pow", ["x", "e"], ["y"])
    constants = {"e": np.float32(exponent)}
    assert compare([node], {"x": IMAGE}, constants=constants, low=0.1, tolerance=APPROXIMATION) == [operator]


@pytest.mark.parametrize(
    ("bounds", "operators"),
    [
        ((0.0, 6.0), ["RELU6"]),
        ((-1.0, 1.0), ["RELU_N1_TO_1"]),
        ((0.0, None), ["RELU"]),
        ((None, 1.5), ["MINIMUM"]),
        ((None, None), ["RESHAPE"]),  # an output of its own, of the input's numbers
        ((0.5, None), ["MAXIMUM"]),
        ((-0.5, 1.5), ["MAXIMUM", "MINIMUM"]),
    ],
)
def test_clip(
    compare: Callable[..., list[str]], bounds: tuple[float | None, ...], operators: list[str]
) -> None:
    constants = {name: np.float32(b) for name, b in zip(("l", "h"), bounds, strict=True) if b is not None}
    node = helper.make_node("Clip", ["x", *(name if name in constants else "" for name in ("l", "h"))], ["y"])
    assert compare([node], {"x": IMAGE}, constants=constants, low=-8, high=8, tolerance=0) == operators


@pytest.mark.parametrize(
    ("alpha", "beta"), [(1 / 6, 0.5), (0.16666670143604279, 0.5), (0.2, 0.5), (0.25, 0.4)]
)
def test_hard_sigmoid(compare: Callable[..., list[str]], alpha: float, beta: float) -> None:
    node = helper.make_node("HardSigmoid", ["x"], ["y"], alpha=alpha, beta=beta)
    compare([node], {"x": IMAGE}, low=-5, high=5)


@pytest.mark.parametrize("alpha", [0.01, 0.3])
def test_leaky_relu(compare: Callable[..., list[str]], alpha: float) -> None:
    compare([helper.make_node("LeakyRelu", ["x"], ["y"], alpha=alpha)], {"x": IMAGE})


def test_softplus(compare: Callable[..., list[str]]) -> None:
    """Far enough on both sides that exp(x) would overflow, or be nothing beside 1."""
    compare([helper.make_node("Softplus", ["x"], ["y"])], {"x": IMAGE}, low=-100, high=100)


@pytest.mark.parametrize("shape", [(6, 1, 1), (1,), (6, 5, 4)])
def test_prelu(compare: Callable[..., list[str]], shape: tuple[int, ...]) -> None:
    compare(
        [helper.make_node("PRelu", ["x", "s"], ["y"])], {"x": IMAGE}, constants={"s": random_array(*shape)}
    )


@pytest.mark.parametrize(
    ("shape", "axis"), [(IMAGE, 1), (IMAGE, 3), (IMAGE, -1), ((9,), -1), ((3, 2, 4, 5), 2)]
)
def test_softmax(compare: Callable[..., list[str]], shape: tuple[int, ...], axis: int) -> None:
    compare([helper.make_node("Softmax", ["x"], ["y"], axis=axis)], {"x": shape})


def test_softmax_over_channels_moves_nothing(compare: Callable[..., list[str]]) -> None:
    assert compare([helper.make_node("Softmax", ["x"], ["y"], axis=1)], {"x": IMAGE}) == ["SOFTMAX"]


# For every operator that fuses: a node that becomes it.
FUSING = {
    "ADD": helper.make_node("Add", ["x", "c"], ["z"]),
    "AVERAGE_POOL_2D": helper.make_node("AveragePool", ["x"], ["z"], kernel_shape=[2, 2]),
    "CONV_2D": helper.make_node("Conv", ["x", "w"], ["z"]),
    "CONV_2D_GROUPED": helper.make_node("Conv", ["x", "grouped"], ["z"], group=2),
    "DEPTHWISE_CONV_2D": helper.make_node("Conv", ["x", "d"], ["z"], group=6),
    "DEPTHWISE_CONV_2D_DILATED": helper.make_node("Conv", ["x", "d"], ["z"], group=6, dilations=[2, 2]),
    "DIV": helper.make_node("Div", ["x", "c"], ["z"]),
    "FULLY_CONNECTED": helper.make_node("MatMul", ["x", "m"], ["z"]),
    "MAX_POOL_2D": helper.make_node("MaxPool", ["x"], ["z"], kernel_shape=[2, 2]),
    "MUL": helper.make_node("Mul", ["x", "c"], ["z"]),
    "SUB": helper.make_node("Sub", ["x", "c"], ["z"]),
}
FUSED_CONSTANTS = {
    "c": random_array(6, 1, 1, low=-1),
    "d": random_array(6, 1, 2, 2, low=-1),
    "grouped": random_array(6, 3, 1, 1, low=-1),
    "m": random_array(4, 3, low=-1),
    "w": random_array(3, 6, 1, 1, low=-1),
}


def test_every_operator_that_fuses_is_tried() -> None:
    assert FUSING.keys() == {
        name for name, value in vars(op).items() if isinstance(value, Operator) and value.fuses
    }


@pytest.mark.parametrize("writer", FUSING)
@pytest.mark.parametrize("bounds", [(0, np.inf), (0, 6), (-1, 1)])
def test_activation_is_fused(
    compare: Callable[..., list[str]], writer: str, bounds: tuple[float, float]
) -> None:
    constants = FUSED_CONSTANTS | {"l": np.float32(bounds[0]), "h": np.float32(bounds[1])}
    nodes = [FUSING[writer], helper.make_node("Clip", ["z", "l", "h"], ["y"])]
    operators = compare(nodes, {"x": IMAGE}, constants=constants, low=-8, high=8)
    assert writer.removesuffix("_GROUPED").removesuffix("_DILATED") in operators
    assert not any(name.startswith("RELU") for name in operators)


def test_activation_of_an_early_convolution_is_fused_with_its_bias(
    compare: Callable[..., list[str]],
) -> None:
    nodes = [helper.make_node("Conv", ["x", "w", "v"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    constants = {"w": random_array(3, 6, 1, 1, low=-1), "v": random_array(3)}
    assert compare(nodes, {"x": IMAGE}, constants=constants) == ["CONV_2D", "ADD"]


def test_activation_is_not_fused_into_a_concatenation(compare: Callable[..., list[str]]) -> None:
    nodes = [helper.make_node("Concat", ["x", "x"], ["z"], axis=1), helper.make_node("Relu", ["z"], ["y"])]
    assert compare(nodes, {"x": IMAGE}) == ["CONCATENATION", "RELU"]


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Sum", ["z"], ["same"]),
        helper.make_node("Max", ["z"], ["same"]),
        helper.make_node("Concat", ["z"], ["same"], axis=1),
        helper.make_node("Clip", ["z"], ["same"]),
        helper.make_node("Resize", ["z", "", "s"], ["same"], coordinate_transformation_mode="asymmetric"),
        helper.make_node("Identity", ["z"], ["same"]),
        helper.make_node("Pad", ["z", "p"], ["same"]),
        helper.make_node("Slice", ["z", "first", "last"], ["same"]),
    ],
    ids=lambda node: node.op_type,
)
def test_activation_behind_a_node_that_does_nothing_leaves_other_readers_alone(
    compare: Callable[..., list[str]], node: Any
) -> None:
    nodes = [
        helper.make_node("Add", ["x", "x"], ["z"]),
        node,
        helper.make_node("Relu", ["same"], ["r"]),
        helper.make_node("Sub", ["z", "r"], ["y"]),
    ]
    constants = {
        "s": np.ones(4, np.float32),
        "p": np.zeros(8, np.int64),
        "first": np.zeros(1, np.int64),
        "last": np.asarray([2**31], np.int64),
    }
    compare(nodes, {"x": IMAGE}, constants=constants)


def test_activation_is_not_fused_where_the_number_before_it_is_read_too(
    compare: Callable[..., list[str]],
) -> None:
    nodes = [helper.make_node("Add", ["x", "x"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    assert compare(nodes, {"x": IMAGE}, ["y", "z"]) == ["ADD", "RELU"]


@pytest.mark.parametrize("shape", [(6,), (6, 5), IMAGE, (6, 2, 3, 4)])
def test_batch_normalization(compare: Callable[..., list[str]], shape: tuple[int, ...]) -> None:
    constants = {name: random_array(6) for name in ("s", "b", "m", "v")}
    compare(
        [helper.make_node("BatchNormalization", ["x", *constants], ["y"])], {"x": shape}, constants=constants
    )


@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"])
@pytest.mark.parametrize("axes", [[1], [2, 3], [-1], [1, 2, 3]])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reduce(compare: Callable[..., list[str]], kind: str, axes: list[int], keepdims: int) -> None:
    nodes = [
        helper.make_node("ReduceSum", ["x", "a"], ["y"], keepdims=keepdims)
        if kind == "ReduceSum"
        else helper.make_node(kind, ["x"], ["y"], axes=axes, keepdims=keepdims)
    ]
    constants = {"a": np.asarray(axes)} if kind == "ReduceSum" else {}
    # A product of 120 factors rounds 120 times.
    compare(nodes, {"x": IMAGE}, constants=constants, low=0.9, high=1.1, tolerance=2e-5)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("columns", [None, 1, 5])
def test_matmul_with_a_constant(
    compare: Callable[..., list[str]], shape: tuple[int, ...], columns: int | None
) -> None:
    constant = random_array(4) if columns is None else random_array(4, columns)
    operators = compare(
        [helper.make_node("MatMul", ["x", "c"], ["y"])], {"x": shape}, constants={"c": constant}
    )
    assert "FULLY_CONNECTED" in operators


@pytest.mark.parametrize("transposed", [False, True])
def test_matmul_of_two_inputs(compare: Callable[..., list[str]], transposed: bool) -> None:
    nodes = [helper.make_node("MatMul", ["x", "z"], ["y"])]
    inputs = {"x": (3, 4), "z": (4, 5)}
    if transposed:
        inputs["z"] = (5, 4)
        nodes.insert(0, helper.make_node("Transpose", ["z"], ["t"], perm=[0, 2, 1]))
        nodes[1].input[1] = "t"
    assert compare(nodes, inputs) == ["BATCH_MATMUL"]


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [None, (), (5,), (1, 5)])
def test_gemm(compare: Callable[..., list[str]], transposed: int, bias: tuple[int, ...] | None) -> None:
    constants = {"w": random_array(5, 4) if transposed else random_array(4, 5)}
    if bias is not None:
        constants["b"] = random_array(*bias)
    node = helper.make_node("Gemm", ["x", *constants], ["y"], transB=transposed, alpha=0.7, beta=1.3)
    assert compare([node], {"x": (4,)}, constants=constants) == ["FULLY_CONNECTED"]


@pytest.mark.parametrize(
    ("node", "constants", "reason"),
    [
        (helper.make_node("Elu", ["x"], ["y"], "culprit", alpha=0.5), {}, "alpha"),
        (helper.make_node("PRelu", ["x", "x"], ["y"], "culprit"), {}, "not a constant"),
        (helper.make_node("ReduceMean", ["x"], ["y"], "culprit", axes=[0]), {}, "over the batch"),
        (helper.make_node("Gelu", ["x"], ["y"], "culprit"), {}, "supported operators"),
        (helper.make_node("Sinh", ["x"], ["y"], "culprit"), {}, "supported operators"),
    ],
)
def test_what_has_no_counterpart_is_named(
    model_of: Callable[..., Any], node: Any, constants: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnsupportedOperatorError, match=rf"'culprit' \({node.op_type}\).*{reason}"):
        convert(model_of([node], {"x": IMAGE}, ["y"], constants, 20 if node.op_type == "Gelu" else 17))


def test_a_computed_kernel_is_named(model_of: Callable[..., Any]) -> None:
    nodes = [
        helper.make_node("Sigmoid", ["k"], ["kernel"]),
        helper.make_node("Conv", ["x", "kernel"], ["y"], "culprit"),
    ]
    model = model_of(nodes, {"x": (3, 5, 5), "k": (3, 2, 2)}, ["y"], {}, 17)
    for value, size in zip(model.graph.input, (1, 4), strict=True):
        value.type.tensor_type.shape.dim[0].dim_value = size
    with pytest.raises(UnsupportedOperatorError, match=r"'culprit' \(Conv\).*'kernel'\) is not a constant"):
        convert(model)


def test_sigmoid_is_exact_for_small_values(
    model_of: Callable[..., Any], tflite_result: Callable[..., Any]
) -> None:
    """Unlike ONNX Runtime's, so that it need not be spelt out; a square root may follow."""
    x = np.linspace(-25, 5, 1000, dtype=np.float32)[:, np.newaxis]
    content = convert(model_of([helper.make_node("Sigmoid", ["x"], ["y"])], {"x": (1,)}, ["y"], {}, 17))
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(tflite_result(content, {"x": x})["y"], exact, rtol=1e-6)
