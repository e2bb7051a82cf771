"""Convolutions and poolings against ONNX Runtime, over random shapes and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import helper

from pose_onnx.exporters.tflite import UnsupportedOperatorError, convert

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
SIZES = st.tuples(st.integers(5, 11), st.integers(5, 11))
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


def random_array(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).uniform(-1, 1, shape).astype(np.float32)


@EXAMPLES
@given(
    size=SIZES,
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    strides=PAIRS,
    dilation=st.integers(1, 2),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    groups=st.sampled_from(["one", "grouped", "depthwise", "multiplied"]),
    bias=st.booleans(),
)
def test_conv(compare: Callable[..., list[str]], **case: Any) -> None:
    kernel, dilation, pads, size = case["kernel"], case["dilation"], case["pads"], case["size"]
    for axis in range(2):
        assume(size[axis] + pads[axis] + pads[axis + 2] >= (kernel[axis] - 1) * dilation + 1)
    channels, group, filters = {
        "one": (3, 1, 5),
        "grouped": (6, 2, 4),
        "depthwise": (4, 4, 4),
        "multiplied": (3, 3, 6),
    }[case["groups"]]
    constants = {"w": random_array(filters, channels // group, *kernel)}
    if case["bias"]:
        constants["b"] = random_array(filters)
    node = helper.make_node(
        "Conv",
        ["x", *constants],
        ["y"],
        strides=case["strides"],
        dilations=[dilation] * 2,
        pads=pads,
        group=group,
    )
    compare([node], {"x": (channels, *size)}, constants=constants)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("size", [(8, 8), (9, 7)])
def test_conv_auto_pad(compare: Callable[..., list[str]], auto_pad: str, size: tuple[int, int]) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], auto_pad=auto_pad, strides=[2, 2])
    compare([node], {"x": (3, *size)}, constants={"w": random_array(4, 3, 3, 3)})


def test_conv_on_even_sizes_pads_first_and_on_odd_ones_does_not(compare: Callable[..., list[str]]) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    constants = {"w": random_array(4, 3, 3, 3)}
    assert compare([node], {"x": (3, 8, 8)}, constants=constants) == ["PAD", "CONV_2D"]
    assert compare([node], {"x": (3, 9, 9)}, constants=constants) == ["CONV_2D"]


def test_first_convolutions_add_their_bias_last(compare: Callable[..., list[str]]) -> None:
    nodes = [helper.make_node("Conv", [f"x{i}", "w", "b"], [f"x{i + 1}"]) for i in range(6)]
    constants = {"w": random_array(3, 3, 1, 1), "b": random_array(3)}
    operators = compare(nodes, {"x0": (3, 4, 5)}, ["x6"], constants=constants)
    assert operators == ["CONV_2D", "ADD"] * 4 + ["CONV_2D"] * 2


@EXAMPLES
@given(
    size=SIZES,
    kernel=PAIRS,
    strides=PAIRS,
    pads=st.tuples(*[st.integers(0, 1)] * 4),
    extra=st.integers(0, 1),
    dilation=st.integers(1, 2),
)
def test_conv_transpose(compare: Callable[..., list[str]], **case: Any) -> None:
    reach = [(taps - 1) * case["dilation"] + 1 for taps in case["kernel"]]
    for axis in range(2):
        assume(reach[axis] + case["extra"] - case["pads"][axis + 2] >= case["strides"][axis])
        assume(case["pads"][axis] < reach[axis])
        assume(case["extra"] < case["strides"][axis])
    node = helper.make_node(
        "ConvTranspose",
        ["x", "w", "b"],
        ["y"],
        strides=case["strides"],
        pads=case["pads"],
        output_padding=[case["extra"]] * 2,
        dilations=[case["dilation"]] * 2,
    )
    constants = {"w": random_array(3, 5, *case["kernel"]), "b": random_array(5)}
    compare([node], {"x": (3, *case["size"])}, constants=constants)


@pytest.mark.parametrize(("groups", "made"), [(4, 1), (4, 2), (2, 3)])
def test_conv_transpose_in_groups(compare: Callable[..., list[str]], groups: int, made: int) -> None:
    options = {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": groups}
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], **options)
    constants = {"w": random_array(4, made, 4, 4), "b": random_array(groups * made)}
    compare([node], {"x": (4, 5, 6)}, constants=constants)


@EXAMPLES
@given(
    size=SIZES,
    kernel=st.tuples(st.integers(2, 4), st.integers(2, 4)),
    strides=PAIRS,
    pads=st.tuples(*[st.integers(0, 1)] * 4),
    ceil_mode=st.booleans(),
    count_include_pad=st.booleans(),
    kind=st.sampled_from(["AveragePool", "MaxPool"]),
)
def test_pool(compare: Callable[..., list[str]], **case: Any) -> None:
    for axis in range(2):
        assume(not case["ceil_mode"] or _last_window_starts_inside(axis, case))
    attributes: dict[str, Any] = {name: case[name] for name in ("strides", "pads")}
    attributes |= {"kernel_shape": case["kernel"], "ceil_mode": int(case["ceil_mode"])}
    if case["kind"] == "AveragePool":
        attributes["count_include_pad"] = int(case["count_include_pad"])
    node = helper.make_node(case["kind"], ["x"], ["y"], **attributes)
    compare([node], {"x": (3, *case["size"])})


def _last_window_starts_inside(axis: int, case: dict[str, Any]) -> bool:
    """Whether there is something to pool in it; the runtimes differ about windows of padding only."""
    size, kernel, stride = case["size"][axis], case["kernel"][axis], case["strides"][axis]
    before, after = case["pads"][axis], case["pads"][axis + 2]
    count = -(-(size + before + after - kernel) // stride) + 1
    return bool((count - 1) * stride - before < size)


def test_pool_without_anything_to_pool_is_refused(model_of: Callable[..., Any]) -> None:
    node = helper.make_node(
        "MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1
    )
    with pytest.raises(UnsupportedOperatorError, match="padding only"):
        convert(model_of([node], {"x": (3, 5, 5)}, ["y"], {}, 17))


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pool(compare: Callable[..., list[str]], kind: str) -> None:
    assert len(compare([helper.make_node(kind, ["x"], ["y"])], {"x": (5, 6, 7)})) == 1


@pytest.mark.parametrize(
    ("kind", "shape", "weight", "attributes", "reason"),
    [
        ("Conv", (3, 8), (4, 3, 3), {}, "3 axes"),
        ("Conv", (3, 8, 8, 8), (4, 3, 3, 3, 3), {}, "5 axes"),
        ("ConvTranspose", (4, 8, 8), (4, 2, 1, 1), {"strides": [2, 2]}, "smaller than its stride"),
        ("MaxPool", (4, 8, 8), None, {"kernel_shape": [2, 2], "dilations": [2, 2]}, "dilations"),
    ],
)
def test_what_has_no_counterpart_is_named(
    model_of: Callable[..., Any],
    kind: str,
    shape: tuple[int, ...],
    weight: tuple[int, ...] | None,
    attributes: dict[str, Any],
    reason: str,
) -> None:
    constants = {} if weight is None else {"w": random_array(*weight)}
    node = helper.make_node(kind, ["x", *constants], ["y"], name="culprit", **attributes)
    with pytest.raises(UnsupportedOperatorError, match=rf"'culprit' \({kind}\).*{reason}"):
        convert(model_of([node], {"x": shape}, ["y"], constants, 17))
