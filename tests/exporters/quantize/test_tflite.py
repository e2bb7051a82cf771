"""int8 in TFLite: what the files hold, how close they are, and that they run like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from pose_onnx import ModelCard, read_card
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.quantize import onnx, tflite
from pose_onnx.exporters.quantize.ai_edge import calibrate, static_int8, weights_int8
from pose_onnx.exporters.quantize.layers import layers_of
from pose_onnx.exporters.targets.material import Candidate, Material
from pose_onnx.exporters.targets.tflite import tflite_file
from pose_onnx.exporters.tflite import lower
from pose_onnx.runtimes import open_runtime
from tests.exporters.graphs import Net


@pytest.fixture(scope="module")
def material(graph: Graph, card: ModelCard, samples: np.ndarray) -> Material:
    return Material(graph, card, samples, (0.0, 0.5))


def run(content: bytes, file: Path, samples: np.ndarray) -> np.ndarray:
    file.write_bytes(content)
    runtime = open_runtime(file, "tflite" if file.suffix == ".tflite" else "ort", threads=1)
    assert [(spec.name, spec.dtype) for spec in (*runtime.inputs, *runtime.outputs)] == [
        ("image", "float32"),
        ("heatmaps", "float32"),
    ]
    return runtime.run({"image": samples})["heatmaps"]


def error(content: bytes, material: Material, folder: Path) -> float:
    expected = run(tflite_file(material.graph, material.card), folder / "float.tflite", material.samples)
    found = run(content, folder / "int8.tflite", material.samples)
    return float(np.sqrt(np.square(found - expected).mean() / np.square(expected).mean()))


def kernels(content: bytes) -> dict[str, str]:
    """Element type of each kernel."""
    interpreter = Interpreter(model_content=content)
    return {
        t["name"].split("/")[0].rstrip(";"): np.dtype(t["dtype"]).name
        for t in interpreter.get_tensor_details()
        if len(t["shape"]) == 4 and t["name"].split("/")[0] in {"first", "point", "depth", "last"}
    }


def test_weights_alone(material: Material, tmp_path: Path) -> None:
    (candidate,) = tflite.int8_weights(material)
    assert kernels(candidate.content) == {
        "first": "float32",
        "depth": "float32",
        "point": "int8",
        "last": "int8",
    }
    assert 0 < error(candidate.content, material, tmp_path) < 0.01
    assert read_card(tmp_path / "int8.tflite") == material.card


@pytest.mark.parametrize("whole", [False, True])
def test_a_kernel_of_more_than_32_mib(whole: bool) -> None:
    """CenterNet's ResNet-50 has one of 75 MB."""
    filters, channels = 8200, 1024
    net = Net(channels, 1)
    content = lower(net.graph(net.conv("image", channels, filters)))
    image = np.random.default_rng(0).standard_normal((1, channels, 1, 1)).astype(np.float32)
    changed = static_int8(content, calibrate(content, image), ()) if whole else weights_int8(content, ())
    assert len(changed) < 0.3 * len(content)
    expected, found = (invoke(model, image.transpose(0, 2, 3, 1)) for model in (content, changed))
    assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def invoke(content: bytes, image: np.ndarray) -> np.ndarray:
    run = Interpreter(model_content=content).get_signature_runner()
    (result,) = run(image=image).values()
    return cast("np.ndarray", result)


def test_whole_layers_but_those_that_suffer_most(material: Material, tmp_path: Path) -> None:
    every, half = tflite.int8(material)
    assert every.kept == ()
    assert half.kept == material.ranked[:2]
    assert set(kernels(every.content).values()) == {"int8"}
    names = {layer.weight for layer in half.kept}
    assert {name for name, kind in kernels(half.content).items() if kind == "float32"} == names
    assert 0 < error(half.content, material, tmp_path) < error(every.content, material, tmp_path) < 0.05
    assert read_card(tmp_path / "int8.tflite") == material.card


@pytest.mark.parametrize("writer", [tflite.int8_weights, tflite.int8])
def test_all_data_is_inside_the_flatbuffer(
    material: Material, writer: Callable[[Material], Iterator[Candidate]]
) -> None:
    for candidate in writer(material):
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(candidate.content, 0))
        assert {(part.offset, part.size) for part in model.buffers} == {(0, 0)}
        assert max(len(part.data) for part in model.buffers if part.data is not None) >= 1024


def test_both_formats_keep_the_same_layers(material: Material) -> None:
    def kept(candidates: list[Candidate]) -> list[object]:
        return [candidate.kept for candidate in candidates]

    assert kept(list(onnx.int8(material))) == kept(list(tflite.int8(material)))


def test_calibration_keeps_the_widest_values(graph: Graph, card: ModelCard, samples: np.ndarray) -> None:
    # A moving average, the quantiser's own way, would end near the last sample.
    louder = samples.copy()
    louder[0] *= 10
    found = calibrate(tflite_file(graph, card), louder)
    assert float(np.max(found["image"]["max"])) == pytest.approx(float(louder.max()))
    assert float(np.min(found["image"]["min"])) == pytest.approx(float(louder.min()))
    assert layers_of(graph)[0].result in {name.rstrip(";") for name in found}
