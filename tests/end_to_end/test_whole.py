"""Whole end-to-end files against the core: the same people at the same places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest

from pose_onnx import (
    BoxOutput,
    Detector,
    ExportError,
    HeatmapOutput,
    KeypointModel,
    ModelFileError,
    PoseEstimator,
    load_image,
    read_card,
)
from pose_onnx.cards.card import CARD_KEY
from pose_onnx.cli import main
from pose_onnx.core.opencv import cv2
from pose_onnx.exporters import lay_out
from pose_onnx.exporters.end_to_end import assemble
from tests.end_to_end.conftest import PHOTOS, Files, run, wrap

OFFICIAL = ("picodet_s_320_lcnet_pedestrian", "tinypose_256x192")
SURE = 0.2
KEYPOINT_BAR = 0.05
"""Image pixels. Measured: 0.0003, as the crops are equal and only float32's last bits differ."""
BOX_BAR = 0.5 if cv2.ipp.useIPP() else 2.0
"""Image pixels. Measured: 0.23 and 1.0; see exporters/end_to_end/_resize.py for the two resizes of OpenCV."""


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
@pytest.mark.parametrize("people", [0, 1, 2, 9])
def test_keypoints_equal_the_core(files: Files, photo: Path, people: int) -> None:
    image = load_image(photo)
    corners = np.random.default_rng(people).uniform(-100, 612, (people, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)
    check_keypoints(files, image, boxes)


def check_keypoints(files: Files, image: np.ndarray, boxes: np.ndarray) -> None:
    expected = KeypointModel(files.pose_network, threads=1)(image, boxes)
    found = run(files.pose, image, boxes=boxes)
    assert {name: array.shape for name, array in found.items()} == {
        "keypoints": expected.keypoints.shape,
        "scores": expected.scores.shape,
    }
    sure = expected.scores >= SURE
    np.testing.assert_allclose(found["keypoints"][sure], expected.keypoints[sure], atol=KEYPOINT_BAR)
    np.testing.assert_allclose(found["scores"], expected.scores, atol=1e-4)


def test_the_bar_sees_another_order_of_colours(files: Files) -> None:
    image = load_image(PHOTOS[0])
    boxes = np.array([[0, 0, 400, 512]], np.float32)
    right, wrong = (run(files.pose, pixels, boxes=boxes) for pixels in (image, image[:, :, ::-1]))
    sure = right["scores"] >= SURE
    assert np.abs(right["keypoints"] - wrong["keypoints"])[sure].max() > KEYPOINT_BAR


def test_a_box_without_area_gives_its_centre_and_score_0(files: Files) -> None:
    boxes = np.array([[10, 20, 10, 80], [30, 40, 30, 40], [5, 5, 300, 400]], np.float32)
    found = run(files.pose, load_image(PHOTOS[0]), boxes=boxes)
    np.testing.assert_array_equal(found["keypoints"][0], np.tile([10.0, 50.0], (17, 1)))
    np.testing.assert_array_equal(found["keypoints"][1], np.tile([30.0, 40.0], (17, 1)))
    assert not found["scores"][:2].any()
    assert found["scores"][2].any()


@pytest.mark.parametrize("changes", [{"refine": "quarter"}, {"refine": "udp", "align_corners": True}])
def test_the_card_says_how_peaks_are_refined(files: Files, changes: dict[str, Any]) -> None:
    image, boxes = load_image(PHOTOS[0]), np.array([[0, 0, 400, 512], [100, 20, 330, 300]], np.float32)
    card = read_card(files.pose_network)
    card = replace(card, output=replace(cast("HeatmapOutput", card.output), **changes))
    expected = KeypointModel(files.pose_network, card=card, threads=1)(image, boxes)
    file = assemble(onnx.load(files.pose_network), card).SerializeToString()
    sure = expected.scores >= SURE
    found, by_dark = run(file, image, boxes=boxes), run(files.pose, image, boxes=boxes)
    np.testing.assert_allclose(found["keypoints"][sure], expected.keypoints[sure], atol=KEYPOINT_BAR)
    assert np.abs(found["keypoints"] - by_dark["keypoints"])[sure].max() > KEYPOINT_BAR


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_image_to_keypoints_equals_the_estimator(files: Files, photo: Path) -> None:
    image = load_image(photo)
    expected = PoseEstimator(threads=1)(image)
    found = run(files.detector, image)
    np.testing.assert_allclose(found["boxes"], expected.boxes, atol=BOX_BAR)
    np.testing.assert_allclose(found["scores"], expected.box_scores, atol=2e-2)
    check_keypoints(files, image, found["boxes"])


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (5, 3), (1200, 40)])
def test_any_image_size(files: Files, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = run(files.detector, image)
    assert len(found["boxes"]) == len(found["scores"])
    check_keypoints(files, image, np.array([[0, 0, size[1], size[0]]], np.float32))


@pytest.mark.parametrize("people", [0, 1, 2, 5])
def test_as_many_boxes_as_people(tiny_detector: Path, tmp_path: Path, people: int) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    for person in range(people):
        row, column = divmod(person, 2)
        image[24 * row : 24 * row + 8, 32 * column : 32 * column + 8] = 255 - 20 * person
    expected = Detector(tiny_detector, threads=1)(image)
    found = run(wrap(tiny_detector, tmp_path), image)
    assert len(expected) == people
    assert found["boxes"].shape == (people, 4)
    np.testing.assert_allclose(found["boxes"], expected.boxes, atol=1e-4)
    np.testing.assert_allclose(found["scores"], expected.scores, atol=1e-6)
    assert (np.diff(found["scores"]) <= 0).all()


@pytest.mark.parametrize("resize", ["fix", "keep", "fit"])
def test_boxes_by_the_cards_way_to_resize(tiny_detector: Path, tmp_path: Path, resize: str) -> None:
    card = read_card(tiny_detector)
    card = replace(card, input=replace(card.picture, resize=resize))
    onnx.save(assemble(onnx.load(tiny_detector), card), tmp_path / "whole.onnx")
    image = np.random.default_rng(0).integers(0, 256, (41, 27, 3), np.uint8)
    expected = Detector(tiny_detector, card=card, threads=1)(image)
    assert len(expected) > 0
    found = run(tmp_path / "whole.onnx", image)
    np.testing.assert_allclose(found["boxes"], expected.boxes, rtol=0, atol=1e-3)
    np.testing.assert_allclose(found["scores"], expected.scores, rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", ["triton", "deepstream", "golden"])
def test_ways_to_resize_that_no_layout_knows(tiny_detector: Path, tmp_path: Path, layout: str) -> None:
    card = read_card(tiny_detector)
    model = onnx.load(tiny_detector)
    del model.metadata_props[:]
    padded = replace(card, input=replace(card.picture, resize="pad"))
    model.metadata_props.add(key=CARD_KEY, value=padded.to_json())
    onnx.save(model, tmp_path / "padded.onnx")
    with pytest.raises(ExportError, match=r"input\.resize 'pad', but .* only supports"):
        lay_out([tmp_path / "padded.onnx"], [layout], out=tmp_path)


def test_of_two_boxes_of_one_person_the_better(tiny_detector: Path) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[16:24, 16:24], image[16:24, 24:32] = 255, 200
    card = read_card(tiny_detector)
    for overlap, count in ((0.3, 1), (0.34, 2)):  # the boxes share a third
        model = assemble(onnx.load(tiny_detector), replace(card, output=BoxOutput(nms_iou=overlap)))
        assert len(run(model.SerializeToString(), image)["boxes"]) == count


def test_a_detector_must_know_people(tiny_detector: Path) -> None:
    network, card = onnx.load(tiny_detector), read_card(tiny_detector)
    with pytest.raises(ExportError, match="has 2 classes and none is 'person'"):
        assemble(network, replace(card, classes=("cat", "dog")))


def test_the_file_says_what_it_is(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    for file, network in ((files.detector, files.detector_network), (files.pose, files.pose_network)):
        model = onnx.load(file)
        assert {item.key: item.value for item in model.metadata_props}["pose_onnx.form"] == "end_to_end"
        assert read_card(file) == read_card(network)
        assert "RGB" in model.graph.input[0].doc_string
        assert main(["info", str(file)]) == 0
        assert "end to end" in capsys.readouterr().out


def test_standard_operators_only(files: Files) -> None:
    for file in (files.detector, files.pose):
        model = onnx.load(file)
        assert {node.domain for node in model.graph.node} == {""}
        assert [(item.domain, item.version) for item in model.opset_import] == [("", 17)]
        assert not {node.op_type for node in model.graph.node} & {"If", "Loop", "Scan"}


def test_the_core_names_the_right_file(files: Files) -> None:
    with pytest.raises(ModelFileError, match="is an end-to-end file"):
        PoseEstimator(pose=files.pose)
    with pytest.raises(ModelFileError, match="is an end-to-end file"):
        Detector(files.detector)


def test_official_models_on_photos(shared: Path, official_models: Path, tmp_path: Path) -> None:
    networks = [official_models / f"{name}.onnx" for name in OFFICIAL]
    files = Files(*(wrap(network, tmp_path) for network in networks), *networks)
    detector = Detector(files.detector_network, threads=1)
    for photo in sorted((shared / "coco_dev" / "images").glob("*.jpg"))[:12]:
        image = load_image(photo)
        expected, found = detector(image), run(files.detector, image)
        np.testing.assert_allclose(found["boxes"], expected.boxes, atol=BOX_BAR)
        check_keypoints(files, image, expected.boxes)
