"""Small two-stage detectors of our own definition, converted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest

from pose_onnx import Detector, ModelCard, load_card, load_image
from pose_onnx.core.arrays import F32
from pose_onnx.exporters.conversion import template_for
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.paddle_to_onnx import _convert, _grouped, _joined, _named
from pose_onnx.exporters.passes import SIMPLIFY_FREE, rewrite
from pose_onnx.exporters.plain_run import run_plainly
from pose_onnx.exporters.targets import REFERENCE, candidates
from pose_onnx.exporters.targets.material import Material
from pose_onnx.exporters.templates import Proof, make_template, read_template
from pose_onnx.exporters.trim import trim
from pose_onnx.exporters.verify import Outputs, compare, demand, make_inputs, run_with_rounding

NAMES = [
    "faster_rcnn_enhance_3x_coco",
    "cascade_rcnn_r50_fpn_1x_coco",
    "cascade_rcnn_r50_vd_fpn_ssld_1x_coco",
    "cascade_rcnn_r50_vd_fpn_ssld_2x_coco",
]
PHOTO = Path(__file__).parents[3] / "models" / "photos" / "astronaut.jpg"


class Small(NamedTuple):
    """A network, converted: its card, what Paddle makes of `make_inputs`, its parameters, and its graph."""

    card: ModelCard
    outputs: Outputs
    parameters: dict[str, F32]
    model: onnx.ModelProto


@pytest.fixture(scope="module", params=["faster", "cascade"])
def small(
    request: pytest.FixtureRequest, run_paddle: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Small:
    official, folder = load_card(NAMES[0]), tmp_path_factory.mktemp("rcnn")
    spec = replace(official.picture, size=(128, 160))
    card = replace(official, classes=("person", "horse", "dog"), input=spec)
    np.savez(folder / "inputs.npz", **make_inputs(card))  # type: ignore[arg-type]  # keywords are arrays here
    run_paddle("small_rcnn.py", request.param, folder / "inputs.npz", folder)
    outputs = {name: _named(arrays, card) for name, arrays in _grouped(folder / "outputs.npz").items()}
    with np.load(folder / "parameters.npz") as archive:
        parameters = dict(archive)
    model = _joined(_convert(folder / "prepared.json", folder), folder / "prepared.json")
    return Small(card, outputs, parameters, model)


def test_inputs_have_different_sizes(small: Small) -> None:
    sizes = [array.shape for array in make_inputs(small.card).values()]
    assert sizes == [(1, 3, 128, 96), (1, 3, 128, 160)]


def test_a_file_finds_what_paddle_finds(small: Small, tmp_path: Path) -> None:
    graph = rewrite(trim(Graph.from_model(small.model), small.card), SIMPLIFY_FREE, strict=True)
    (candidate,) = candidates(REFERENCE, Material(graph, small.card))
    file = tmp_path / "small.onnx"
    file.write_bytes(candidate.content)
    found, rounding = run_with_rounding(file, make_inputs(small.card), small.card)
    demand(compare("onnx", small.outputs, found, card=small.card, precision="fp32", rounding=rounding))
    with Detector(file, threshold=0.01) as detector:
        image = load_image(PHOTO)
        assert len(detector(image).boxes) > 0
        assert len(detector(np.ascontiguousarray(image[:100])).boxes) > 0


def test_a_template_filled_again_is_the_same_model(small: Small) -> None:
    content = make_template(small.model, small.parameters, Proof({}, {}))
    template = read_template("small", content)
    assert template.shapes(small.card) == {name: array.shape for name, array in small.parameters.items()}
    inputs = {"photo": make_inputs(small.card)["photo"]}
    ours, theirs = (
        run_plainly(graph, small.card, inputs)["photo"]
        for graph in (template.fill(small.parameters), Graph.from_model(small.model))
    )
    for name in ("boxes", "scores"):
        np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.parametrize("name", NAMES)
def test_official_models_need_no_paddle(name: str) -> None:
    assert template_for(load_card(name), None) is not None
