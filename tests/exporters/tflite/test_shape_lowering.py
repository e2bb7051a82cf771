"""Operators that move numbers, against ONNX Runtime: the results must be equal to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from pose_onnx.exporters.tflite import UnsupportedOperatorError, convert

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = (6, 5, 4)
INT64_MAX = np.iinfo(np.int64).max
# Interpolation weights are rounded differently: some units in the last place of the pixels.
INTERPOLATION = 1e-5


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_chains_of_reshape_and_transpose(compare: Callable[..., list[str]], data: st.DataObject) -> None:
    """Any such chain, read by an operator that wants the last word on the layout."""
    shape = list(data.draw(st.sampled_from([(4, 6, 2), (12, 1, 4), (1, 6, 8), (8, 6)])))
    inputs = {"x": tuple(shape)}
    nodes, constants, name = [], {}, "x"
    for step in range(data.draw(st.integers(1, 4))):
        result = f"t{step}"
        if data.draw(st.booleans()):
            order = data.draw(st.permutations(range(1, len(shape) + 1)))
            nodes.append(helper.make_node("Transpose", [name], [result], perm=[0, *order]))
            shape = [shape[axis - 1] for axis in order]
        else:
            shape = data.draw(st.sampled_from(_factorisations(int(np.prod(shape)))))
            constants[f"s{step}"] = np.asarray([-1, *shape])
            nodes.append(helper.make_node("Reshape", [name, f"s{step}"], [result]))
        name = result
    nodes.append(helper.make_node("Concat", [name, name], ["y"], axis=data.draw(st.integers(1, len(shape)))))
    compare(nodes, inputs, ["y", name], constants=constants, tolerance=0)


def _factorisations(count: int) -> list[list[int]]:
    """Shapes of up to four axes with that many numbers."""
    found = [[count]]
    for first in range(1, count + 1):
        if count % first == 0:
            rest = count // first
            found += [[first, rest], [first, 1, rest]]
            found += [[first, second, rest // second] for second in range(2, rest) if rest % second == 0]
            found += [[first, second, 1, rest // second] for second in range(2, rest) if rest % second == 0]
    return found


@pytest.mark.parametrize("groups", [2, 3])
def test_channel_shuffle_moves_the_numbers_once(compare: Callable[..., list[str]], groups: int) -> None:
    channels, height, width = IMAGE
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Reshape", ["r", "split"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["b", "join"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    constants = {
        "split": np.asarray([0, groups, channels // groups, height, width]),
        "join": np.asarray([0, channels, height, width]),
    }
    operators = compare(nodes, {"x": IMAGE}, constants=constants, tolerance=0)
    assert operators.count("TRANSPOSE") == 1


def test_head_of_a_detector_moves_nothing(compare: Callable[..., list[str]]) -> None:
    """(N, C, H, W) -> (N, C, HW) -> (N, HW, C) is how the numbers lie already."""
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1]),
        helper.make_node("Sigmoid", ["b"], ["y"]),
    ]
    assert "TRANSPOSE" not in compare(nodes, {"x": IMAGE}, constants={"flat": np.asarray([0, 6, 20])})


def test_two_views_of_one_square_are_told_apart(compare: Callable[..., list[str]]) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Transpose", ["r"], ["y"], perm=[0, 1, 3, 2]),
    ]
    compare(nodes, {"x": (3, 4, 4)}, ["r", "y"], tolerance=0)


def test_no_reshape_stands_behind_another(compare: Callable[..., list[str]]) -> None:
    """LiteRT 2.3 would let Softmax overwrite what the last Reshape reads."""
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Reshape", ["r", "split"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["b", "joined"], ["shuffled"]),
        helper.make_node("Softmax", ["shuffled"], ["s"], axis=1),
        helper.make_node("Neg", ["s"], ["y"]),
        helper.make_node("Reshape", ["shuffled", "flat"], ["z"]),
    ]
    constants = {
        "split": np.asarray([0, 2, 3, 4, 4]),
        "joined": np.asarray([0, 6, 4, 4]),
        "flat": np.asarray([0, 6, 16]),
    }
    compare(nodes, {"x": (6, 4, 4)}, ["y", "z"], constants=constants)


@pytest.mark.parametrize("shape", [(6,), IMAGE, (2, 3, 5, 4)])
def test_transpose_without_an_order_reverses_the_axes(
    compare: Callable[..., list[str]], shape: tuple[int, ...]
) -> None:
    nodes = [helper.make_node("Transpose", ["x"], ["t"]), helper.make_node("Relu", ["t"], ["y"])]
    compare(nodes, {"x": shape}, tolerance=0)


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_concat(compare: Callable[..., list[str]], axis: int, count: int) -> None:
    names = [f"x{index}" for index in range(count)]
    compare([helper.make_node("Concat", names, ["y"], axis=axis)], dict.fromkeys(names, IMAGE), tolerance=0)


@pytest.mark.parametrize("sizes", [None, [2, 4], [1, 2, 3]])
@pytest.mark.parametrize("opset", [11, 17])
def test_split(compare: Callable[..., list[str]], sizes: list[int] | None, opset: int) -> None:
    outputs = [f"y{index}" for index in range(len(sizes or [3, 3]))]
    node = helper.make_node("Split", ["x"], outputs, axis=1)
    constants = {}
    if sizes and opset == 11:
        node.attribute.append(helper.make_attribute("split", sizes))
    elif sizes:
        node.input.append("s")
        constants["s"] = np.asarray(sizes)
    compare([node], {"x": IMAGE}, outputs, constants=constants, opset=opset, tolerance=0)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [4], [1], None),
        ([0, 1], [INT64_MAX, -1], [2, 3], [1, 1]),
        ([-4], [-1], [-1], None),
        ([0], [6], [1], [2]),
        ([-1], [-INT64_MAX], [3], [-1]),
        ([3, 4], [0, 1], [1, 2], [-1, -2]),
        ([0, 0], [INT64_MAX, 3], [0, 1], None),
        ([0, 0], [999999, 3], [0, 1], None),  # as paddle2onnx writes a whole axis
    ],
)
def test_slice(
    compare: Callable[..., list[str]],
    starts: list[int],
    ends: list[int],
    axes: list[int],
    steps: list[int] | None,
) -> None:
    case = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    constants = {name: np.asarray(value, np.int64) for name, value in case.items() if value is not None}
    node = helper.make_node("Slice", ["x", *constants], ["y"])
    compare([node], {"x": IMAGE}, constants=constants, tolerance=0)


@pytest.mark.parametrize("indices", [2, -1, [0, 1, 2], [3, 0, 3], [1]])
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_gather(compare: Callable[..., list[str]], indices: int | list[int], axis: int) -> None:
    node = helper.make_node("Gather", ["x", "i"], ["y"], axis=axis)
    compare([node], {"x": IMAGE}, constants={"i": np.asarray(indices)}, tolerance=0)


@pytest.mark.parametrize(
    ("kind", "axes"), [("Squeeze", [2]), ("Squeeze", [-2, 3]), ("Unsqueeze", [1]), ("Unsqueeze", [-1, 2])]
)
@pytest.mark.parametrize("opset", [11, 17])
def test_squeeze(compare: Callable[..., list[str]], kind: str, axes: list[int], opset: int) -> None:
    node = helper.make_node(kind, ["x", "a"][: 1 + (opset > 11)], ["y"])
    if opset == 11:
        node.attribute.append(helper.make_attribute("axes", axes))
    constants = {"a": np.asarray(axes)} if opset > 11 else {}
    shape = (3, 1, 1) if kind == "Squeeze" else (3, 4)
    compare([node], {"x": shape}, constants=constants, opset=opset, tolerance=0)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_flatten(compare: Callable[..., list[str]], axis: int) -> None:
    compare([helper.make_node("Flatten", ["x"], ["y"], axis=axis)], {"x": IMAGE}, tolerance=0)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize("fill", [None, 0.0, -1.5, [-1.5]])
def test_pad(compare: Callable[..., list[str]], mode: str, fill: float | list[float] | None) -> None:
    constants: dict[str, Any] = {"p": np.asarray([0, 1, 0, 2, 0, 0, 3, 1])}
    if fill is not None:
        constants["v"] = np.asarray(fill, np.float32)
    node = helper.make_node("Pad", ["x", *constants], ["y"], mode=mode)
    compare([node], {"x": IMAGE}, constants=constants, tolerance=0)


@pytest.mark.parametrize(
    ("kind", "shape", "mode"),
    [
        ("DepthToSpace", (8, 3, 5), "DCR"),
        ("DepthToSpace", (8, 3, 5), "CRD"),
        ("SpaceToDepth", (2, 6, 4), None),
    ],
)
def test_blocks(
    compare: Callable[..., list[str]], kind: str, shape: tuple[int, ...], mode: str | None
) -> None:
    node = helper.make_node(kind, ["x"], ["y"], blocksize=2, **({"mode": mode} if mode else {}))
    compare([node], {"x": shape}, tolerance=0)


def test_expand(compare: Callable[..., list[str]]) -> None:
    node = helper.make_node("Expand", ["x", "s"], ["y"])
    compare([node], {"x": (6, 1, 1)}, constants={"s": np.asarray([1, 6, 5, 4])}, tolerance=0)


@pytest.mark.parametrize("kind", ["Identity", "Dropout", "Cast"])
def test_nothing_to_do(compare: Callable[..., list[str]], kind: str) -> None:
    attributes = {"to": 1} if kind == "Cast" else {}
    compare([helper.make_node(kind, ["x"], ["y"], **attributes)], {"x": IMAGE}, tolerance=0)


def resize(scales: tuple[float, float], **attributes: str) -> tuple[list[Any], dict[str, Any]]:
    constants = {"s": np.asarray([1, 1, *scales], np.float32)}
    return [helper.make_node("Resize", ["x", "", "s"], ["y"], **attributes)], constants


@pytest.mark.parametrize("scales", [(2, 2), (3, 1), (4, 8), (0.5, 0.5), (2.5, 1.5)])
@pytest.mark.parametrize("coordinates", ["align_corners", "half_pixel", "asymmetric", "pytorch_half_pixel"])
@pytest.mark.parametrize("size", [(6, 4), (4, 6)])
def test_resize_linear(
    compare: Callable[..., list[str]], scales: tuple[float, float], coordinates: str, size: tuple[int, int]
) -> None:
    nodes, constants = resize(scales, mode="linear", coordinate_transformation_mode=coordinates)
    assert compare(nodes, {"x": (3, *size)}, constants=constants, tolerance=INTERPOLATION) == [
        "RESIZE_BILINEAR"
    ]


@pytest.mark.parametrize("scales", [(2, 2), (1, 3), (1, 1), (4, 8), (0.5, 0.5), (0.5, 0.75)])
@pytest.mark.parametrize(
    ("coordinates", "rounding"),
    [
        ("asymmetric", "ceil"),
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_floor"),
        ("half_pixel", "round_prefer_ceil"),
        ("align_corners", "round_prefer_ceil"),
    ],
)
def test_resize_nearest(
    compare: Callable[..., list[str]], scales: tuple[float, float], coordinates: str, rounding: str
) -> None:
    attributes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding}
    nodes, constants = resize(scales, mode="nearest", **attributes)
    operators = compare(nodes, {"x": (3, 6, 4)}, constants=constants, tolerance=0)
    if min(scales) >= 1 and coordinates != "align_corners" and rounding != "ceil":
        assert "RESIZE_NEAREST_NEIGHBOR" not in operators


@pytest.mark.parametrize("scale", [2 / 3, 0.75, 1 / 3])
@pytest.mark.parametrize("size", [6, 9, 12, 24])
def test_resize_nearest_picks_the_pixels_of_float32(
    compare: Callable[..., list[str]], scale: float, size: int
) -> None:
    nodes, constants = resize(
        (scale, scale), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )
    compare(nodes, {"x": (2, size, size)}, constants=constants, tolerance=0)


def test_resize_by_sizes_that_fix_the_batch_is_refused(model_of: Callable[..., Any]) -> None:
    node = helper.make_node("Resize", ["x", "", "", "s"], ["y"], "n", mode="linear")
    with pytest.raises(UnsupportedOperatorError, match=r"'n' \(Resize\).*do not follow the batch"):
        convert(model_of([node], {"x": (3, 6, 4)}, ["y"], {"s": np.asarray([1, 3, 9, 7])}, 17))


@pytest.mark.parametrize(
    ("node", "constants", "reason"),
    [
        (helper.make_node("Resize", ["x", "", "c"], ["y"], "n", mode="cubic"), {"c": [1, 1, 2, 2]}, "cubic"),
        (helper.make_node("Resize", ["x", "", "c"], ["y"], "n"), {"c": [1, 2, 2, 2]}, "another axis"),
        (helper.make_node("Pad", ["x", "p"], ["y"], "n", mode="wrap"), {"p": [0] * 8}, "wrap"),
        (helper.make_node("Pad", ["x", "p"], ["y"], "n"), {"p": [0, -1, 0, 0] * 2}, "negative"),
        (helper.make_node("Gather", ["x", "p"], ["y"], "n"), {"p": [0]}, "batch"),
        (helper.make_node("Slice", ["x", "p", "q", "p"], ["y"], "n"), {"p": [0], "q": [1]}, "batch"),
    ],
)
def test_what_has_no_counterpart_is_named(
    model_of: Callable[..., Any], node: Any, constants: dict[str, Any], reason: str
) -> None:
    arrays = {
        name: np.asarray(value, np.float32 if name == "c" else np.int64) for name, value in constants.items()
    }
    with pytest.raises(UnsupportedOperatorError, match=rf"'n' \({node.op_type}\).*{reason}"):
        convert(model_of([node], {"x": IMAGE}, ["y"], arrays, 17))


def test_cast_to_integers_is_refused(model_of: Callable[..., Any]) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["i"], "n", to=7), helper.make_node("Cast", ["i"], ["y"], to=1)]
    with pytest.raises(UnsupportedOperatorError, match=r"'n' \(Cast\).*float32"):
        convert(model_of(nodes, {"x": IMAGE}, ["y"], {}, 17))


def test_resize_that_no_flag_describes_is_refused(model_of: Callable[..., Any]) -> None:
    """One line left of two is read at 0, columns at their centres: TFLite has one rule for both."""
    nodes, constants = resize((0.5, 0.5), mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
    with pytest.raises(UnsupportedOperatorError, match="other pixels"):
        convert(model_of(nodes, {"x": (3, 2, 4)}, ["y"], constants, 17))
