"""int8 in ONNX: numbers, weights alone, whole layers, and the order in which layers suffer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_onnx import ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.outputs.boxes import EXPORT as BOXES
from pose_onnx.exporters.outputs.heatmaps import EXPORT as HEATMAPS
from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.quantize.exceptions import float_weights
from pose_onnx.exporters.quantize.insert import quantize_layers
from pose_onnx.exporters.quantize.layers import Layer, layers_of
from pose_onnx.exporters.quantize.numbers import activation_scale, to_int8, weight_scales
from pose_onnx.exporters.quantize.ranges import Ranges, measure_ranges, session_of
from pose_onnx.exporters.quantize.sensitivity import rank_layers
from pose_onnx.exporters.quantize.store_int8 import STORE_INT8

VALUES = st.floats(-1e4, 1e4, width=32)


def heatmaps(graph: Graph, samples: np.ndarray) -> np.ndarray:
    result: np.ndarray = session_of(graph).run(None, {"image": samples})[0]
    return result


def error(graph: Graph, changed: Graph, samples: np.ndarray) -> float:
    """Root of the mean squared error, relative to the values' own."""
    expected, found = heatmaps(graph, samples), heatmaps(changed, samples)
    return float(np.sqrt(np.square(found - expected).mean() / np.square(expected).mean()))


def ranges_of(graph: Graph, samples: np.ndarray) -> Ranges:
    return measure_ranges(
        graph, samples, [n for layer in layers_of(graph) for n in (layer.source, layer.result)]
    )


def names(layers: tuple[Layer, ...]) -> list[str]:
    return [layer.weight for layer in layers]


@given(VALUES, VALUES, st.floats(0, 1))
def test_every_value_of_a_range_is_met_within_a_step_and_zero_exactly(
    a: float, b: float, share: float
) -> None:
    low, high = sorted([a, b])
    scale, zero = activation_scale(low, high)
    for value, steps in ((low + share * (high - low), 1.0), (0.0, 0.0)):
        stored = np.clip(np.rint(value / scale) + zero, -128, 127)
        assert abs((stored - zero) * scale - value) <= steps * scale * 1.001


@given(st.integers(1, 5), st.integers(0, 9), st.floats(1e-3, 1e3))
def test_weights_are_met_within_half_a_step_of_their_channel(channels: int, seed: int, size: float) -> None:
    weight = np.random.default_rng(seed).normal(0, size, (channels, 3, 3, 3)).astype(np.float32)
    weight[0] = 0  # a channel without any weight
    scales = weight_scales(weight)
    column = scales[:, None, None, None]
    assert np.abs(to_int8(weight, scales) * column - weight).max(initial=0) <= 0.501 * column.max()
    assert (np.abs(to_int8(weight, scales) * column - weight) <= 0.501 * column).all()


def test_layers_know_their_activation_and_kind(graph: Graph) -> None:
    layers = layers_of(graph)
    assert [(layer.name, layer.result, layer.depthwise) for layer in layers] == [
        ("f", "fr", False),
        ("p", "p", False),
        ("d", "d", True),
        ("heatmaps", "heatmaps", False),
    ]
    assert names(float_weights(layers)) == ["first", "depth"]


def test_weights_alone_are_int8_in_the_file_and_float_when_loaded(graph: Graph, samples: np.ndarray) -> None:
    stored = rewrite(graph, [STORE_INT8])
    kinds = {name: array.dtype.name for name, array in stored.constants.items() if array.ndim == 4}
    assert {n for n, kind in kinds.items() if kind == "int8"} == {"point/int8", "last/int8"}
    assert {"first", "depth"} <= kinds.keys()
    assert 0 < error(graph, stored, samples) < 0.01


def test_the_runtime_multiplies_weights_out_when_it_loads_them(graph: Graph, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    model = rewrite(graph, [STORE_INT8]).to_model().SerializeToString()
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    ops = {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}
    assert "Cast" not in ops
    assert "Conv" in ops


def test_whole_layers_are_close_and_compute_in_integers(
    graph: Graph, samples: np.ndarray, tmp_path: Path
) -> None:
    ranges = ranges_of(graph, samples)
    changed = quantize_layers(graph, layers_of(graph), ranges)
    assert 0 < error(graph, changed, samples) < 0.05
    assert [output.name for output in changed.outputs] == ["heatmaps"]
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        changed.to_model().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    ops = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert ops.count("QLinearConv") == 4


def test_a_wrong_scale_shows(graph: Graph, samples: np.ndarray) -> None:
    # The proof that the bound above can fail: ranges of a tenth cut nearly every value off.
    ranges = {name: (low / 10, high / 10) for name, (low, high) in ranges_of(graph, samples).items()}
    assert error(graph, quantize_layers(graph, layers_of(graph), ranges), samples) > 0.3


def test_layers_that_are_left_out_stay_as_they_are(graph: Graph, samples: np.ndarray) -> None:
    ranges = ranges_of(graph, samples)
    assert error(graph, quantize_layers(graph, [], ranges), samples) == 0
    before = {name: array.copy() for name, array in graph.constants.items()}
    part = quantize_layers(graph, layers_of(graph)[1:2], ranges)
    assert {node.op for node in part.nodes if "point" in node.name} == {"Conv"}
    assert [name for name in part.constants if name in before and name.count(".") == 0] == [
        "first",
        "depth",
        "last",
    ]
    for name, array in before.items():
        np.testing.assert_array_equal(graph.constants[name], array)


def test_the_layers_around_a_tensor_with_one_huge_channel_come_first(
    graph: Graph, samples: np.ndarray, card: ModelCard
) -> None:
    # The same network, but the other channels of `fr` vanish in the steps that the first one needs.
    changed = graph.copy()
    up, down = np.ones((16, 1, 1, 1), np.float32), np.ones((1, 16, 1, 1), np.float32)
    up[0], down[:, 0] = 3000, 1 / 3000
    constants = changed.constants
    constants |= {"first": constants["first"] * up, "first.b": constants["first.b"] * up.ravel()}
    constants["point"] = constants["point"] * down
    assert error(graph, changed, samples) < 1e-5
    ranked = rank_layers(changed, ranges_of(changed, samples), samples, card)
    assert {*names(ranked)[:2]} == {"first", "point"}
    assert sorted(names(ranked)) == ["depth", "first", "last", "point"]


def test_damage_is_relative_to_heatmaps_and_to_boxes_that_are_seen() -> None:
    maps = np.ones((1, 1, 2, 2), np.float32)
    assert HEATMAPS.damage({"heatmaps": 4 * maps}, {"heatmaps": 5 * maps}) == pytest.approx(1 / 16)
    boxes = np.array([[[0, 0, 10, 10], [0, 0, 10, 10]]], np.float32)
    before = {"boxes": boxes, "scores": np.array([[[0.9], [0.1]]], np.float32)}
    after = {"boxes": boxes + np.array([[[1], [100]]]), "scores": np.array([[[0.8], [0.9]]], np.float32)}
    assert BOXES.damage(before, after) == pytest.approx(0.1 + 0.1)
    unseen = {"boxes": boxes, "scores": np.array([[[0.1], [0.05]]], np.float32)}
    assert BOXES.damage(unseen, {**unseen, "boxes": boxes + np.float32(1)}) == pytest.approx(0.1)
