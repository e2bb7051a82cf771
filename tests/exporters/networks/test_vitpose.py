"""ViTPose with one of its twelve blocks: from Paddle to ONNX and TFLite, within the bars of every export."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter

from pose_onnx import KeypointModel, ModelCard, load_card, load_image
from pose_onnx.exporters.end_to_end import write_end_to_end
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.paddle_to_onnx import _convert
from pose_onnx.exporters.passes import SIMPLIFY, rewrite
from pose_onnx.exporters.targets import candidates
from pose_onnx.exporters.targets.material import Material
from pose_onnx.exporters.templates import find_template
from pose_onnx.exporters.trim import trim
from pose_onnx.exporters.verify import compare, demand, make_inputs, run_with_rounding

NAMES = ("vitpose_base_coco_256x192", "vitpose_base_simple_256x192_coco")
DEPTH = 12
FIRST, ANY = "backbone.blocks.0.", re.compile(r"backbone\.blocks\.\d+\.")


class Shallow(NamedTuple):
    """A network of one block: its card, what Paddle computes, its parameters' shapes, and its graph.

    `operators` are those that paddle2onnx writes, in its order.
    """

    card: ModelCard
    outputs: dict[str, dict[str, Any]]
    shapes: dict[str, tuple[int, ...]]
    operators: list[str]
    graph: Graph


@pytest.fixture(scope="module", params=NAMES)
def shallow(
    request: pytest.FixtureRequest, run_paddle: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Shallow:
    card, folder = load_card(request.param), tmp_path_factory.mktemp("vitpose")
    (folder / "card.json").write_text(card.to_json())
    np.savez(folder / "inputs.npz", **make_inputs(card))  # type: ignore[arg-type]  # keywords are arrays here
    run_paddle("shallow_vitpose.py", folder / "card.json", folder / "inputs.npz", folder)
    with np.load(folder / "outputs.npz") as archive:
        outputs = {name: {"heatmaps": archive[name]} for name in archive.files}
    shapes = {name: tuple(shape) for name, shape in json.loads((folder / "shapes.json").read_text()).items()}
    model = _convert(folder / "program.json", folder)
    graph = rewrite(trim(Graph.from_model(model), card), SIMPLIFY, strict=True)
    return Shallow(card, outputs, shapes, operators_of(model), graph)


def operators_of(model: onnx.ModelProto) -> list[str]:
    """What is computed: paddle2onnx also writes Constant and Identity nodes, for parameters."""
    return [node.op_type for node in model.graph.node if node.op_type not in ("Constant", "Identity")]


def test_the_template_is_of_this_network(shallow: Shallow) -> None:
    """Every name, shape and operator; blocks 1 to 11 are as block 0."""
    template = find_template(shallow.card)
    assert template is not None
    shapes = template.shapes(shallow.card)
    assert {ANY.sub(FIRST, name): shape for name, shape in shapes.items()} == shallow.shapes
    first = sum(name.startswith(FIRST) for name in shallow.shapes)
    assert len(shapes) == len(shallow.shapes) + (DEPTH - 1) * first
    short, whole = shallow.operators, operators_of(template.model)
    length = (len(whole) - len(short)) // (DEPTH - 1)
    blocks = (short[start : start + length] for start in range(len(short)))
    assert any(
        whole == [*short[:start], *block * DEPTH, *short[start + length :]]
        for start, block in enumerate(blocks)
    )


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("kind", ["onnx", "tflite"])
def test_a_file_computes_what_paddle_does(
    shallow: Shallow, tmp_path: Path, kind: str, precision: str
) -> None:
    file, inputs = write(shallow, tmp_path, kind, precision), make_inputs(shallow.card)
    found, rounding = run_with_rounding(file, inputs, shallow.card)
    demand(compare(kind, shallow.outputs, found, card=shallow.card, precision=precision, rounding=rounding))


def write(shallow: Shallow, folder: Path, kind: str, precision: str = "fp32") -> Path:
    """Write a file as an export does."""
    (candidate,) = candidates((kind, precision), Material(shallow.graph, shallow.card))
    file = folder / f"{shallow.card.name}.{kind}"
    file.write_bytes(candidate.content)
    return file


def test_the_end_to_end_file_finds_what_the_core_finds(shallow: Shallow, tmp_path: Path) -> None:
    whole, measured = write_end_to_end(write(shallow, tmp_path, "onnx"), shallow.card, None)
    demand(measured)
    assert {m.output for m in measured} == {"keypoints", "scores"}
    assert whole.is_file()


def test_keypoints_of_a_photo(shallow: Shallow, tmp_path: Path) -> None:
    file = write(shallow, tmp_path, "onnx")
    image = load_image(Path(__file__).parents[3] / "models" / "photos" / "astronaut.jpg")
    with KeypointModel(file, threads=1) as model, KeypointModel(file, threads=1, flip=True) as flipping:
        found = model(image, [[0, 0, 400, 512]]), flipping(image, [[0, 0, 400, 512]])
    for poses in found:
        assert poses.keypoints.shape == (1, 17, 2)
        assert np.isfinite(poses.keypoints).all()


def test_the_tflite_file_is_one_partition(shallow: Shallow, tmp_path: Path) -> None:
    """XNNPACK runs all of it, what Erf and LayerNormalization were lowered to included."""
    interpreter = Interpreter(model_path=str(write(shallow, tmp_path, "tflite")), num_threads=1)
    interpreter.allocate_tensors()
    (delegated,) = (item for item in interpreter._get_ops_details() if item["op_name"] == "DELEGATE")
    assert {item["index"] for item in interpreter.get_input_details()} <= set(delegated["inputs"])
    assert {item["index"] for item in interpreter.get_output_details()} == set(delegated["outputs"])
