"""End-to-end files of detectors with maps of centres, against the core."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from pose_onnx import Detector, ExportError, InputSpec, ModelCard, load_image, read_card
from pose_onnx.exporters.end_to_end import assemble
from pose_onnx.exporters.outputs import export_of
from pose_onnx.outputs import CenterOutput
from pose_onnx.outputs.centers import HEADS, channels_of
from tests.conftest import save_model
from tests.end_to_end.conftest import PHOTOS, run, wrap

CELL = 4
SIDE = 64
BARS = {"boxes": 1e-3, "scores": 1e-6}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network of one convolution for each head, with random weights and two classes."""
    card = ModelCard(
        "centers", "none", InputSpec((SIDE, SIDE), "fit", "bgr", (0.4, 0.5, 0.6), (0.3, 0.2, 0.25)),
        CenterOutput(max_boxes=9), classes=("cat", "person"),
        source="made by the tests", published="-", license="Apache-2.0",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    nodes = []
    constants: dict[str, NDArray[Any]] = {}
    outputs: dict[str, list[int | str]] = {}
    for name, channels in zip(HEADS, channels_of(card), strict=True):
        constants[f"{name}.weight"] = rng.normal(0, 0.2, (channels, 3, CELL, CELL)).astype(np.float32)
        constants[f"{name}.bias"] = np.full(channels, 4, np.float32)
        inputs = ["image", f"{name}.weight", f"{name}.bias"]
        raw = name if name != HEADS[0] else "logits"
        nodes.append(onnx.helper.make_node("Conv", inputs, [raw], strides=[CELL, CELL]))
        outputs[name] = ["N", channels, SIDE // CELL, SIDE // CELL]
    nodes.append(onnx.helper.make_node("Sigmoid", ["logits"], [HEADS[0]]))
    return save_model(tmp_path_factory.mktemp("centers") / "centers.onnx", card, nodes, constants, outputs)


@pytest.mark.parametrize(
    ("resize", "size"),
    [
        *product(["fit", "fix", "keep"], [(64, 64), (16, 32), (41, 27), (1, 1)]),
        *product(["fit", "fix"], [(64, 65), (300, 20)]),  # the core keeps no picture larger than the input
    ],
)
def test_image_to_boxes_equals_the_detector(
    network: Path, tmp_path: Path, resize: str, size: tuple[int, int]
) -> None:
    card = read_card(network)
    card = replace(card, input=replace(card.picture, resize=resize))
    onnx.save(assemble(onnx.load(network), card), tmp_path / "whole.onnx")
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    with Detector(network, card=card, threads=1, classes=("person",)) as detector:
        expected = detector(image)
    assert len(expected) > 0
    found = run(tmp_path / "whole.onnx", image)
    np.testing.assert_allclose(found["boxes"], expected.boxes, rtol=0, atol=BARS["boxes"])
    np.testing.assert_allclose(found["scores"], expected.scores, rtol=0, atol=BARS["scores"])


def test_nobody(network: Path, tmp_path: Path) -> None:
    model = onnx.load(network)
    bias = next(array for array in model.graph.initializer if array.name == "centers.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(2, -99, np.float32), bias.name))
    onnx.save(assemble(model, read_card(network)), tmp_path / "whole.onnx")
    found = run(tmp_path / "whole.onnx", np.zeros((30, 40, 3), np.uint8))
    assert {name: array.shape for name, array in found.items()} == {"boxes": (0, 4), "scores": (0,)}


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_what_an_export_measures(network: Path, tmp_path: Path, photo: Path) -> None:
    file = wrap(network, tmp_path)
    results = export_of(read_card(network)).compare(file, network, load_image(photo))
    assert len(results.expected["boxes"]) > 1
    for name, expected in results.expected.items():
        assert results.found[name].shape == expected.shape
        assert np.abs(results.found[name] - expected).max() <= min(BARS[name], results.bars[name])


def test_another_way_to_resize_is_one_sentence(network: Path) -> None:
    card = read_card(network)
    card = replace(card, input=replace(card.picture, resize="stretch"))
    with pytest.raises(ExportError, match=r"'stretch', but .*; export the network alone"):
        assemble(onnx.load(network), card)


def test_a_detector_must_know_people(network: Path) -> None:
    card = replace(read_card(network), classes=("cat", "dog"))
    with pytest.raises(ExportError, match="has 2 classes and none is 'person'"):
        assemble(onnx.load(network), card)
