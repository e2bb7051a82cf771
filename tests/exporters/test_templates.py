"""Templates: filled, they are to the last byte what paddle2onnx makes; none is stale.

All templates of an architecture come from the same lines of code, so one of each is made again here, the
smallest. POSE_ONNX_TEST_ALL_TEMPLATES=1 makes all of them, which takes half an hour.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from pose_onnx import ExportError, KeypointModel, ModelFileError, card_names, load_card
from pose_onnx.cards.lookup import official_names
from pose_onnx.exporters import export
from pose_onnx.exporters.checkpoint import match_parameters
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.passes.inline_constants import INLINE_CONSTANTS
from pose_onnx.exporters.templates import find_template, make_template, read_template, template_name
from pose_onnx.exporters.templates._file import SUFFIX
from pose_onnx.exporters.verify import make_inputs

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "exporters" / "templates"
PHOTO = ROOT / "models" / "photos" / "astronaut.jpg"
LARGEST, LARGEST_SUM = 100_000, 1_500_000  # bytes
ALL = "POSE_ONNX_TEST_ALL_TEMPLATES"
HEAVY = (
    *("multi_pose_hg_3x", "vitpose_base_coco_256x192", "vitpose_base_simple_256x192_coco"),
    *(
        f"yolov3_{backbone}_270e_coco"
        for backbone in ("mobilenet_v1", "mobilenet_v3_large", "r34", "r50vd_dcn")
    ),
    *("yolov3_darknet53_270e_coco", "pedestrian_yolov3_darknet"),
    *("ppyolo_mbv3_large_coco", "ppyolo_r18vd_coco", "ppyolo_r50vd_dcn_1x_coco", "ppyolo_r50vd_dcn_2x_coco"),
    *("ppyolov2_r50vd_dcn_365e_coco", "ppyolov2_r101vd_dcn_365e_coco"),
    *(
        f"centernet_{backbone}_140e_coco"
        for backbone in ("dla34", "r50", "mbv1", "mbv3_large", "shufflenetv2")
    ),
    "faster_rcnn_enhance_3x_coco",
    *("cascade_rcnn_r50_fpn_1x_coco", "cascade_rcnn_r50_vd_fpn_ssld_1x_coco"),
)
"""Minutes, and up to 8 GB. Of YOLOs, CenterNets and R-CNNs, networks/ compares the parameters."""
NAMES = {template_name(load_card(name)): name for name in official_names()}


def made_again() -> list[str]:
    """Name the cards whose templates are made again: of each architecture that with the smallest input."""
    cards = sorted(map(load_card, NAMES.values()), key=lambda card: (np.prod(card.input_shape), card.name))
    if ALL in os.environ:
        return [card.name for card in cards]
    smallest: dict[str, str] = {}
    for card in cards:
        smallest.setdefault(card.architecture, card.name)
    return sorted(smallest.values())


def test_every_official_card_has_one_and_none_is_left_over() -> None:
    assert {file.name for file in FOLDER.glob(f"*{SUFFIX}")} == {name + SUFFIX for name in NAMES}


def test_they_are_small() -> None:
    sizes = [file.stat().st_size for file in FOLDER.glob(f"*{SUFFIX}")]
    assert max(sizes) <= LARGEST
    assert sum(sizes) <= LARGEST_SUM


@pytest.mark.parametrize("name", made_again())
def test_a_filled_template_is_what_paddle_makes(name: str, tmp_path: Path) -> None:
    """Made again from random weights through Paddle: the same template, and filled the same model."""
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    if name in HEAVY and ALL not in os.environ:
        pytest.skip(f"minutes: asked for by {ALL}=1")
    from pose_onnx.exporters.templates._make import convert_random  # noqa: PLC0415 (needs Paddle)

    card = load_card(name)
    template = find_template(card)
    assert template is not None
    *_, (key, batch) = make_inputs(card).items()  # one image is enough: what it gives is not compared here
    model, parameters, _ = convert_random(card, {key: batch[:1]}, tmp_path)
    again = read_template(template.name, make_template(model, parameters, template.proof))
    assert again.model.graph == template.model.graph
    ours, theirs = (
        rewrite(g, [INLINE_CONSTANTS]) for g in (template.fill(parameters), Graph.from_model(model))
    )
    assert (ours.nodes, ours.inputs, ours.outputs) == (theirs.nodes, theirs.inputs, theirs.outputs)
    assert list(ours.constants) == list(theirs.constants)
    for key, array in theirs.constants.items():
        assert array.dtype == ours.constants[key].dtype
        np.testing.assert_array_equal(ours.constants[key], array)
    assert template.shapes(card) == {key: array.shape for key, array in parameters.items()}


def test_another_number_of_joints_needs_no_other_template() -> None:
    card = load_card("tinypose_128x96")
    five = replace(card, keypoints=tuple("abcde"), flip_pairs=(), skeleton=(), oks_sigmas=())
    template = find_template(five)
    assert template is not None
    assert template.shapes(five)["final_conv.weight"] == (5, 40, 1, 1)


def test_some_layers_have_two_numbers_a_joint() -> None:
    card = load_card("multi_pose_dla_3x")
    five = replace(card, keypoints=tuple("abcde"), flip_pairs=(), skeleton=(), oks_sigmas=())
    template = find_template(five)
    assert template is not None
    shapes = template.shapes(five)
    sizes = [shapes[f"{head}.2.bias"] for head in ("hm", "hps", "hm_hp")]
    assert sizes == [(1,), (10,), (5,)]
    rng = np.random.default_rng(0)
    graph = template.fill({name: rng.random(shape, np.float32) for name, shape in shapes.items()})
    assert sorted(output.shape[1] for output in graph.outputs) == [1, 2, 2, 2, 5, 10]


@pytest.mark.parametrize(
    ("name", "golden"), [("multi_pose_dla_3x", "dla34"), ("multi_pose_hg_3x", "hourglass")]
)
def test_a_template_takes_what_centernet_saves(shared: Path, name: str, golden: str) -> None:
    """Every name and shape of the reference network, those that only training needs among them."""
    with np.load(shared / "golden" / f"centernet_{golden}.npz") as file:
        entries = json.loads(str(file["state_json"]))
    saved = {key: np.broadcast_to(np.float32(0), shape) for key, shape, _ in entries}
    card = load_card(name)
    network, template = network_of(card), find_template(card)
    assert template is not None
    expected = template.shapes(card)
    taken = match_parameters(saved, expected, aliases=network.aliases, buffers=network.buffers)
    assert {key: array.shape for key, array in taken.items()} == expected


def test_a_network_without_a_template() -> None:
    card = load_card("tinypose_128x96")
    assert find_template(replace(card, architecture="unheard_of")) is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "zeros"])
def test_a_damaged_template_is_one_sentence(damage: str) -> None:
    content = (FOLDER / f"tinypose_128x96{SUFFIX}").read_bytes()
    middle = len(content) // 2
    damaged = {
        "cut": content[:middle],
        "flip": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        "empty": b"",
        "zeros": bytes(len(content)),
    }[damage]
    with pytest.raises(ModelFileError, match="install pose-onnx again"):
        read_template("tinypose_128x96", damaged)


def test_parameters_that_cannot_be_told_apart_are_refused() -> None:
    template = find_template(load_card("tinypose_128x96"))
    assert template is not None
    same = {
        name: np.zeros(shape, np.float32)
        for name, shape in template.shapes(load_card("tinypose_128x96")).items()
    }
    with pytest.raises(ExportError, match="equal"):
        make_template(template.model, same, template.proof)


def test_names_of_templates_tell_all_that_a_graph_depends_on() -> None:
    names = [template_name(load_card(name)) for name in card_names()]
    assert len(set(names)) < len(names)  # the built-in models have the official networks


@pytest.mark.parametrize("name", ["tinypose_128x96", "picodet_s_192_lcnet_pedestrian"])
def test_files_made_without_paddle_are_those_made_with_it(shared: Path, tmp_path: Path, name: str) -> None:
    """Of the official weights, both formats, to the last byte."""
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    source = shared / "weights" / f"{name}.npz"
    ways: tuple[Literal["template", "paddle"], ...] = ("template", "paddle")
    made = {way: export(source, model=name, out=tmp_path / way, via=way).files for way in ways}
    for ours, theirs in zip(made["template"], made["paddle"], strict=True):
        assert ours.read_bytes() == theirs.read_bytes()


def test_an_export_without_paddle_imports_none(shared: Path, tmp_path: Path) -> None:
    """A process in which Paddle's packages cannot be imported makes both formats; the receipt tells how."""
    source = shared / "weights" / "tinypose_128x96.npz"
    code = (
        "import sys\n"
        "for name in ('paddle', 'paddle2onnx', 'yaml', 'ai_edge_quantizer', 'pycocotools'):\n"
        "    sys.modules[name] = None\n"
        "from pose_onnx.exporters import export\n"
        f"export({str(source)!r}, model='tinypose_128x96', out={str(tmp_path)!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    receipt = json.loads((tmp_path / "tinypose_128x96.receipt.json").read_text())
    assert receipt["structure"]["template"] == "tinypose_128x96"
    assert receipt["structure"]["versions"].keys() == {"paddlepaddle", "paddle2onnx", "onnxruntime"}
    assert {error["stage"] for error in receipt["errors"]} == {
        "onnx fp32 vs plain ONNX Runtime",
        "tflite fp32 vs onnx fp32",
    }


def test_a_checkpoint_with_other_joints(tmp_path: Path) -> None:
    """A fine-tuned network with five joints, by a card that says so."""
    base = load_card("tinypose_128x96")
    card = replace(base, name="five", keypoints=tuple("abcde"), flip_pairs=(), skeleton=(), oks_sigmas=())
    template = find_template(card)
    assert template is not None
    rng = np.random.default_rng(0)
    weights = {
        name: rng.uniform(0.5, 1.5, shape).astype(np.float32) * (1 if len(shape) == 1 else 0.01)
        for name, shape in template.shapes(card).items()
    }
    np.savez(tmp_path / "five.npz", **weights)  # type: ignore[arg-type]  # keywords are arrays here
    (file, *_), photo = export(tmp_path / "five.npz", card=card, to=("onnx",), out=tmp_path).files, PHOTO
    with KeypointModel(file) as model:
        assert model(photo, [[0, 0, 400, 500]]).keypoints.shape == (1, 5, 2)
    wrong = {**weights, "final_conv.bias": np.zeros(17, np.float32)}
    np.savez(tmp_path / "wrong.npz", **wrong)  # type: ignore[arg-type]  # likewise
    with pytest.raises(ModelFileError, match=r"final_conv\.bias"):
        export(tmp_path / "wrong.npz", card=card, to=("onnx",), out=tmp_path)
