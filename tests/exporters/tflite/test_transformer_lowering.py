"""What transformers are made of: Erf, LayerNormalization, attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import helper

from pose_onnx.exporters.tflite import UnsupportedOperatorError, convert
from pose_onnx.exporters.tflite.erf import DENOMINATOR, NUMERATOR, REACH

if TYPE_CHECKING:
    from collections.abc import Callable

APPROXIMATION = 5e-7
"""Of erf, relative: 2.6e-8 by the polynomials, the rest is float32's rounding; 3.7e-7 was seen."""


def numbers(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).uniform(0.5, 2.0, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(6, 5, 4), (7,), (500, 3)])
@pytest.mark.parametrize("reach", [0.01, 1.0, 6.0, 200.0])
def test_erf(compare: Callable[..., list[str]], shape: tuple[int, ...], reach: float) -> None:
    node = helper.make_node("Erf", ["x"], ["y"])
    operators = compare([node], {"x": shape}, low=-reach, high=reach, tolerance=APPROXIMATION)
    assert set(operators) == {"ADD", "DIV", "MUL"}


def test_the_polynomials_of_erf() -> None:
    x = np.linspace(1e-6, REACH, 20_001)
    numerator, denominator = (
        np.polyval(values[::-1], (x / REACH) ** 2) for values in (NUMERATOR, DENOMINATOR)
    )
    exact = np.array([math.erf(value) for value in x])
    assert np.abs(x / REACH * numerator / denominator / exact - 1).max() < 2.6e-8
    assert 1 - math.erf(REACH) < 2.0**-25  # half of float32's last bit below 1


def test_erf_of_small_numbers_is_right_to_the_last_bits(
    model_of: Callable[..., Any], tflite_result: Callable[..., Any]
) -> None:
    model = model_of([helper.make_node("Erf", ["x"], ["y"])], {"x": (2001,)}, ["y"], {}, 17)
    x = np.concatenate([[0], np.logspace(-30, 2, 1000), -np.logspace(-30, 2, 1000)]).astype(np.float32)
    found = tflite_result(convert(model), {"x": x[None]})["y"][0]
    np.testing.assert_allclose(found, [math.erf(value) for value in x], rtol=APPROXIMATION)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((9,), -1), ((5, 8), -1), ((5, 8), 1), ((6, 5, 4), -1), ((6, 5, 4), 1), ((2, 3, 4, 5), 3)],
)
@pytest.mark.parametrize("epsilon", [1e-6, 0.1])
@pytest.mark.parametrize("shifted", [True, False])
def test_layer_normalization(
    compare: Callable[..., list[str]], shape: tuple[int, ...], axis: int, epsilon: float, shifted: bool
) -> None:
    sizes = shape[axis:] if axis < 0 else shape[axis - 1 :]  # of the node's axes the first is the batch
    constants = {name: numbers(*sizes) for name in ("scale", "shift")[: 1 + shifted]}
    node = helper.make_node("LayerNormalization", ["x", *constants], ["y"], axis=axis, epsilon=epsilon)
    operators = compare([node], {"x": shape}, constants=constants)
    assert operators.count("MEAN") == 2
    assert ("ADD" in operators[-2:]) == shifted


def test_layer_normalization_of_pixels_moves_no_image(compare: Callable[..., list[str]]) -> None:
    """As in a vision transformer: the channels of every pixel, which the file holds side by side."""
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["patches"], kernel_shape=[1, 1]),
        helper.make_node("Reshape", ["patches", "sizes"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("LayerNormalization", ["rows", "scale"], ["y"]),
    ]
    constants = {"kernel": numbers(8, 3, 1, 1), "sizes": np.array([0, 8, 20]), "scale": numbers(8)}
    assert "TRANSPOSE" not in compare(nodes, {"image": (3, 5, 4)}, constants=constants)


@pytest.mark.parametrize(
    ("axis", "outputs", "words"),
    [(0, ["y"], "over the batch"), (-1, ["z", "y"], "only its first output")],
)
def test_what_of_layer_normalization_is_not_known(
    model_of: Callable[..., Any], axis: int, outputs: list[str], words: str
) -> None:
    node = helper.make_node("LayerNormalization", ["x", "scale"], outputs, axis=axis)
    model = model_of([node], {"x": (4,)}, ["y"], {"scale": numbers(4)}, 17)
    with pytest.raises(UnsupportedOperatorError, match=words):
        convert(model)
