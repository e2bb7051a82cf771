"""The ESNet PicoDets: against someone else's export of the official weights, and exported by us."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from pose_onnx import BoxDistributionOutput, Detector, ModelCard, load_card
from pose_onnx.core.boxes import box_iou
from pose_onnx.exporters import export
from pose_onnx.exporters.checkpoint import match_parameters
from pose_onnx.exporters.networks import network_of

Arrays = Mapping[str, NDArray[np.float32]]
LEVELS = range(4)
ANCHORS = {320: 2125, 416: 3598}
# Two engines, 140 convolutions, logits up to 5: 1.4e-5 is seen, and a wrong layer shows in the first digits.
RAW_BAR = 1e-4
# Pixels: the same differences times strides up to 64; 3.5e-4 is seen.
BOX_BAR = 1e-3
# Share of the annotated people taller than 100 pixels that an 80-class nano detector should find at 0.4.
FOUND = 0.6


def distribution_card(path: Path) -> ModelCard:
    """The card of an export that has eight raw outputs: four of classes, then four of box distributions."""
    names = [output.name for output in onnx.load(path).graph.output]
    return replace(load_card(path.stem), output=BoxDistributionOutput(tuple(names[:4]), tuple(names[4:])))


@pytest.fixture(scope="module", params=["picodet_s_320_coco", "picodet_s_416_coco"])
def foreign(shared: Path, request: pytest.FixtureRequest) -> Path:
    return Path(shared / "weights" / f"{request.param}.onnx")


@pytest.fixture(scope="module")
def ours(foreign: Path, run_paddle: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a checkpoint with the file's weights, and what our network computes with them."""
    folder = tmp_path_factory.mktemp("foreign")
    run_paddle("foreign_weights.py", foreign.stem, foreign, folder)
    return folder


def run(path: Path, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image}), strict=True))


def test_heads_and_boxes_are_those_of_the_foreign_export(foreign: Path, ours: Path) -> None:
    with np.load(ours / "outputs.npz") as archive:
        found = dict(archive)
    expected = run(foreign, found["image"])
    card = distribution_card(foreign)
    output = cast("BoxDistributionOutput", card.output)
    for level in LEVELS:
        for kind, names in (("score", output.score_outputs), ("bins", output.box_outputs)):
            error = np.abs(found[f"{kind}{level}"] - expected[names[level]]).max()
            assert error <= RAW_BAR, f"{kind} {level}: {error}"
    boxes, scores = output.decode(expected, card.picture.size)
    assert np.abs(found["boxes"] - boxes).max() <= BOX_BAR
    assert np.abs(found["scores"] - scores).max() <= RAW_BAR


def people(shared: Path, photo: Path) -> NDArray[np.float32]:
    """Annotated people taller than 100 pixels, (P, 4) xyxy."""
    data = json.loads((shared / "coco_dev" / "person_keypoints_dev.json").read_text())
    boxes = [
        item["bbox"]
        for item in data["annotations"]
        if item["image_id"] == int(photo.stem) and not item["iscrowd"] and item["bbox"][3] > 100
    ]
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return corners


def test_the_foreign_file_finds_people_and_nothing_else(shared: Path, foreign: Path) -> None:
    detector = Detector(foreign, card=distribution_card(foreign), classes=("person",))
    wanted = found = 0
    for photo in sorted((shared / "coco_dev" / "images").glob("*.jpg"))[:20]:
        detections, truth = detector(photo), people(shared, photo)
        assert not detections.labels.any()
        wanted += len(truth)
        if len(detections.boxes) and len(truth):
            found += int((box_iou(truth, detections.boxes).max(axis=1) > 0.5).sum())
    assert wanted > 10
    assert found >= FOUND * wanted, f"{found} of {wanted}"


@pytest.mark.parametrize(
    "foreign", ["picodet_s_320_coco"], indirect=True
)  # the other size differs in nothing
def test_our_export_of_those_weights_finds_the_same(
    shared: Path, foreign: Path, ours: Path, tmp_path: Path
) -> None:
    (file,) = export(ours / f"{foreign.stem}.npz", model=foreign.stem, to=("onnx",), out=tmp_path).files
    theirs = Detector(foreign, card=distribution_card(foreign), classes=("person",))
    detector = Detector(file, classes=("person",))
    for photo in sorted((shared / "coco_dev" / "images").glob("*.jpg"))[:5]:
        expected, detections = theirs(photo), detector(photo)
        # Network pixels times at most 2 to image pixels.
        assert np.abs(expected.boxes - detections.boxes).max(initial=0) <= 2 * BOX_BAR
        assert np.abs(expected.scores - detections.scores).max(initial=0) <= RAW_BAR


@pytest.mark.parametrize("name", ["picodet_s_320_coco", "picodet_m_416_coco"])
def test_export_with_random_weights(
    random_checkpoint: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """Both networks, both sizes; `export` itself holds ONNX and TFLite to the bars, at batches 1 and 2."""
    card = load_card(name)
    files = export(random_checkpoint(name), model=name, out=tmp_path, via="paddle").files
    assert [file.name for file in files] == [f"{name}.onnx", f"{name}.tflite"]
    graph = onnx.load(files[0]).graph
    sizes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    side, anchors = card.picture.size[0], ANCHORS[card.picture.size[0]]
    assert sizes == {"image": ["N", 3, side, side], "boxes": ["N", anchors, 4], "scores": ["N", anchors, 80]}
    images = np.random.default_rng(1).standard_normal((3, 3, side, side)).astype(np.float32)
    together, alone = run(files[0], images), run(files[0], images[2:])
    for output, values in together.items():
        assert np.ptp(values) > 0.1  # not the same everywhere
        # The same kernels; another batch may be cut among threads in another way.
        np.testing.assert_allclose(values[2:], alone[output], rtol=0, atol=BOX_BAR)


# Millions of parameters in the paper's table 3 (arXiv 2111.00902), which counts no batch norm statistics.
@pytest.mark.parametrize(("name", "millions"), [("picodet_s_320_coco", 0.99), ("picodet_m_320_coco", 2.15)])
def test_number_and_names_of_parameters(
    random_checkpoint: Callable[[str], Path], name: str, millions: float
) -> None:
    with np.load(random_checkpoint(name)) as archive:
        state = dict(archive)
    trained = sum(v.size for k, v in state.items() if not k.endswith(("._mean", "._variance")))
    assert trained / 1e6 == pytest.approx(millions, abs=0.1)
    # One name of every kind, as PaddleDetection's checkpoints have them.
    assert state.keys() >= {
        "backbone._conv1._conv.weight",
        "backbone.2_1._conv_dw_mv1._batch_norm._variance",
        "backbone.4_3._se.conv2.bias",
        "neck.conv_t.convs.2.bn._mean",
        "neck.top_down_blocks.1.blocks.0.conv2.dwconv.weight",
        "neck.bottom_up_blocks.0.final_conv.bn.bias",
        "neck.second_top_conv.bn2.weight",
        "head.conv_feat.cls_conv_pw3.1.norm.weight",
        "head.head_cls0.bias",
    }


def test_second_names_of_the_head_are_known() -> None:
    network = network_of(load_card("picodet_s_320_coco"))
    value = np.zeros(1, np.float32)
    given = {"head.head_cls_list.0.bias": value, "head.p3_feat.scale_reg": value}
    expected = {"head.head_cls0.bias": (1,)}
    matched = match_parameters(given, expected, aliases=network.aliases, buffers=network.buffers)
    assert list(matched) == ["head.head_cls0.bias"]
