"""Deformable convolutions, and transposed ones of one channel each, against ONNX Runtime."""

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

EXAMPLES = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
DEFORMABLE = 19  # the opset that has it


def random_array(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).uniform(-1, 1, shape).astype(np.float32)


@EXAMPLES
@given(
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    bias=st.booleans(),
    mask=st.booleans(),
    reach=st.sampled_from([0.5, 3.0, 30.0]),
)
def test_deform_conv(compare: Callable[..., list[str]], **case: Any) -> None:
    """Taps move within the image, over its border and far outside of it."""
    dilation, stride = case["dilation"], case["stride"]
    places = tuple((side + 2 - 2 * dilation - 1) // stride + 1 for side in case["size"])
    inputs = {"x": (3, *case["size"]), "told": (18, *places), "mask": (9, *places)}
    constants = {"w": random_array(5, 3, 3, 3), "reach": np.float32(case["reach"])}
    if case["bias"]:
        constants["b"] = random_array(5)
    if not case["mask"]:
        del inputs["mask"]
    words = ["x", "w", "offset", "b" if case["bias"] else "", "mask" if case["mask"] else ""]
    nodes = [
        helper.make_node("Mul", ["told", "reach"], ["offset"]),
        helper.make_node(
            "DeformConv", words, ["y"], strides=[stride] * 2, dilations=[dilation] * 2, pads=[1] * 4,
            kernel_shape=[3, 3],
        ),
    ]  # fmt: skip
    # Both sides round coordinates to float32, but not the same ones: 4e-6 of a cell, up to four times a tap.
    compare(nodes, inputs, constants=constants, opset=DEFORMABLE, tolerance=5e-5)


@pytest.mark.parametrize("stride", [2, 4])
def test_transposed_convolution_of_single_channels(compare: Callable[..., list[str]], stride: int) -> None:
    constants = {"w": random_array(6, 1, 2 * stride, 2 * stride)}
    pads = [stride // 2] * 4
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[stride] * 2, pads=pads, group=6)
    operators = compare([node], {"x": (6, 5, 7)}, constants=constants)
    assert "DEPTHWISE_CONV_2D" in operators


@pytest.mark.parametrize("name", ["group", "offset_group"])
def test_groups_are_refused(model_of: Callable[..., Any], name: str) -> None:
    inputs = {"x": (4, 5, 5), "offset": (36 if name == "offset_group" else 18, 5, 5)}
    constants = {"w": random_array(4, 2 if name == "group" else 4, 3, 3)}
    node = helper.make_node("DeformConv", ["x", "w", "offset"], ["y"], pads=[1] * 4, **{name: 2})
    with pytest.raises(UnsupportedOperatorError, match=f"{name} is 2, only 1 is known"):
        convert(model_of([node], inputs, ["y"], constants, DEFORMABLE))
