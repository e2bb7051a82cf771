"""End-to-end files of two-stage detectors, against the core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from pose_onnx import Detector, ExportError, InputSpec, ModelCard, load_image, read_card
from pose_onnx.exporters.end_to_end import assemble
from pose_onnx.exporters.outputs import export_of
from pose_onnx.outputs import ProposalOutput
from tests.conftest import save_model
from tests.end_to_end.conftest import PHOTOS, run, wrap

CELL = 8
SIZE = (64, 96)
CLASSES = ("cat", "person")
# OpenCV and the graph round some grey levels apart: see exporters/end_to_end/_resize.py.
BARS = {"boxes": 0.05, "scores": 3e-4}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network of two convolutions, with random weights: each cell is a region."""
    card = ModelCard(
        "proposals", "none", InputSpec(SIZE, "pad", "rgb", (0.4, 0.5, 0.6), (0.3, 0.2, 0.25)),
        ProposalOutput(max_boxes=9, nms_iou=0.9), classes=CLASSES,
        source="made by the tests", published="-", license="Apache-2.0",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    count = len(CLASSES)
    constants = {
        "edges.weight": rng.normal(0, 0.15, (4 * count, 3, CELL, CELL)).astype(np.float32),
        "edges.bias": np.tile([2, 3, 30, 40], count).astype(np.float32),
        "logits.weight": rng.normal(0, 0.02, (count, 3, CELL, CELL)).astype(np.float32),
        "logits.bias": np.full(count, 0.5, np.float32),
        "table": np.array([1, -1, count, 4]),
        "column": np.array([1, -1, count]),
    }
    nodes = []
    for name, shape, last in [("edges", "table", "boxes"), ("logits", "column", "raw")]:
        inputs = ["image", f"{name}.weight", f"{name}.bias"]
        nodes += [
            helper.make_node("Conv", inputs, [name], strides=[CELL, CELL]),
            helper.make_node("Transpose", [name], [f"{name}.last"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [f"{name}.last", shape], [last]),
        ]
    nodes.append(helper.make_node("Sigmoid", ["raw"], ["scores"]))
    outputs: dict[str, list[int | str]] = {"boxes": [1, "R", count, 4], "scores": [1, "R", count]}
    file = save_model(
        tmp_path_factory.mktemp("proposals") / "proposals.onnx", card, nodes, constants, outputs
    )
    model = onnx.load(file)
    for axis, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, "H", "W"), strict=True):
        axis.Clear()
        setattr(axis, "dim_param" if isinstance(size, str) else "dim_value", size)
    onnx.save(model, file)
    return file


@pytest.mark.parametrize(
    "size", [SIZE, SIZE[::-1], (41, 27), (300, 20), (128, 200), (127, 63), (1, 400), (500, 1)]
)
def test_image_to_boxes_equals_the_detector(network: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    with Detector(network, threads=1, classes=("person",)) as detector:
        expected = detector(image)
    assert len(expected) > 0
    found = run(wrap(network, tmp_path), image)
    np.testing.assert_allclose(found["boxes"], expected.boxes, rtol=0, atol=BARS["boxes"])
    np.testing.assert_allclose(found["scores"], expected.scores, rtol=0, atol=BARS["scores"])


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_what_an_export_measures(network: Path, tmp_path: Path, photo: Path) -> None:
    results = export_of(read_card(network)).compare(wrap(network, tmp_path), network, load_image(photo))
    assert len(results.expected["boxes"]) > 1
    for name, expected in results.expected.items():
        assert results.found[name].shape == expected.shape
        assert np.abs(results.found[name] - expected).max() <= results.bars[name]


def test_a_detector_must_know_people(network: Path) -> None:
    card = replace(read_card(network), classes=("cat", "dog"))
    with pytest.raises(ExportError, match="has 2 classes and none is 'person'"):
        assemble(onnx.load(network), card)
