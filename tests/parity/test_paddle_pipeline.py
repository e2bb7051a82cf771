"""`preset="paddle"` against what PaddleDetection's own deploy/python answered on 24 photos.

The golden scores are rounded to four digits: 5e-5 of every score difference is theirs. Joints below 0.2 have
no peak to speak of, and the reference's unlimited Newton step multiplies any last-bit difference there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose_onnx import PRESETS, HeatmapOutput, PoseEstimator, Poses, load_card
from pose_onnx.core.crops import Crops, paddle_crops
from pose_onnx.core.keypoints import keypoint_input, keypoints_in_image
from tests.parity.conftest import Check

PAIRS = {
    "picodet_320+tinypose_256x192": ("picodet_s_320_lcnet_pedestrian", "tinypose_256x192"),
    "picodet_192+tinypose_128x96": ("picodet_s_192_lcnet_pedestrian", "tinypose_128x96"),
}
KEY_OF_POSE = {pose: key for key, (_, pose) in PAIRS.items()}
FORMATS = {"ort": ".onnx", "tflite": ".tflite"}
SURE = 0.2


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((shared / "golden" / "paddle_deploy.json").read_text())
    return answers


def estimate(folder: Path, key: str, backend: str, preset: str = "paddle") -> PoseEstimator:
    detector, pose = (folder / f"{name}{FORMATS[backend]}" for name in PAIRS[key])
    return PoseEstimator(detector, pose, backend=backend, preset=preset, threads=1)


def matched(poses: Poses, answer: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the golden boxes, scores and keypoints in the order of ours; every person once and none more."""
    boxes = np.array(answer["boxes"]).reshape(-1, 4)
    assert len(poses) == len(boxes)
    order = [int(np.abs(boxes - box).sum(axis=1).argmin()) for box in poses.boxes]
    assert sorted(order) == list(range(len(boxes)))
    keypoints = np.array(answer["keypoints"]).reshape(-1, 17, 3)
    return boxes[order], np.array(answer["box_scores"])[order], keypoints[order]


def worst(differences: list[np.ndarray]) -> float:
    return max((float(np.abs(item).max()) for item in differences if item.size), default=0.0)


@pytest.mark.parametrize("backend", FORMATS)
@pytest.mark.parametrize("key", PAIRS)
def test_end_to_end(
    golden: dict[str, Any], shared: Path, official_models: Path, key: str, backend: str, check: Check
) -> None:
    boxes, box_scores, points, scores = [], [], [], []
    with estimate(official_models, key, backend) as estimator:
        for name, answers in golden.items():
            poses = estimator(shared / "coco_dev" / "images" / name)
            expected = matched(poses, answers[key])
            sure = expected[2][..., 2] >= SURE
            boxes.append(poses.boxes - expected[0])
            box_scores.append(poses.box_scores - expected[1])
            points.append((poses.keypoints - expected[2][..., :2])[sure])
            scores.append((poses.scores - expected[2][..., 2])[sure])
    what = f"{key}, {backend}, 24 photos"
    check("end to end vs PaddleDetection", f"{what}, boxes", worst(boxes), 0.01, "px")
    check("end to end vs PaddleDetection", f"{what}, box scores", worst(box_scores), 1e-4, "")
    check("end to end vs PaddleDetection", f"{what}, keypoints", worst(points), 0.05, "px")
    check("end to end vs PaddleDetection", f"{what}, scores", worst(scores), 1e-4, "")


def stages(shared: Path, golden: dict[str, Any], pose: str) -> list[tuple[np.ndarray, Crops, Any, str]]:
    """Return photo, crops, golden answer and tensor key of each photo that has golden tensors."""
    tensors = np.load(shared / "golden" / "paddle_pose_tensors.npz")
    names = sorted({key.split("/")[0] for key in tensors.files if key.split("/")[1] == pose} & golden.keys())
    found = []
    for name in names:
        photo = cv2.imread(str(shared / "coco_dev" / "images" / name))
        assert photo is not None
        answer = golden[name][KEY_OF_POSE[pose]]
        people = len(tensors[f"{name}/{pose}/heatmap"])
        boxes = np.array(answer["boxes"], np.float32)[:people]
        crops = paddle_crops(boxes, photo.shape[:2], load_card(pose).picture.size, 4)
        np.testing.assert_array_equal(crops.regions, answer["crops"][:people])
        found.append((photo, crops, answer, f"{name}/{pose}"))
    assert found
    return found


def decoded(heatmaps: np.ndarray, crops: Crops) -> np.ndarray:
    """Return the keypoints that the preset "paddle" reads, image pixels."""
    points, scores = HeatmapOutput().read({"heatmaps": heatmaps}, PRESETS["paddle"])
    return keypoints_in_image(points, scores, crops)[0]


@pytest.mark.parametrize("pose", KEY_OF_POSE)
def test_pre_processing(shared: Path, golden: dict[str, Any], pose: str, check: Check) -> None:
    tensors = np.load(shared / "golden" / "paddle_pose_tensors.npz")
    errors = [
        keypoint_input(photo, crops, load_card(pose).picture) - tensors[f"{key}/input"]
        for photo, crops, _, key in stages(shared, golden, pose)
    ]
    check("pre-processing vs PaddleDetection", pose, worst(errors), 0.0, "")


@pytest.mark.parametrize("pose", KEY_OF_POSE)
def test_decode(shared: Path, golden: dict[str, Any], pose: str, check: Check) -> None:
    tensors = np.load(shared / "golden" / "paddle_pose_tensors.npz")
    errors = []
    for _, crops, answer, key in stages(shared, golden, pose):
        heatmaps = tensors[f"{key}/heatmap"]
        heatmaps.flags.writeable = False
        points, _ = keypoints_in_image(
            *HeatmapOutput().read({"heatmaps": heatmaps}, PRESETS["paddle"]), crops
        )
        errors.append(points - np.array(answer["keypoints"])[: len(points), :, :2])
    # The golden points are float32 at up to 640: their last bit is 3e-5 to 6e-5 px.
    check("decode vs PaddleDetection", pose, worst(errors), 2e-4, "px")


def test_a_half_pixel_is_noticed(shared: Path, golden: dict[str, Any]) -> None:
    """The bars above can be crossed: a crop centre that is not rounded on the way back is far over them."""
    pose = "tinypose_256x192"
    tensors = np.load(shared / "golden" / "paddle_pose_tensors.npz")
    errors = []
    for _, crops, answer, key in stages(shared, golden, pose):
        size = crops.regions[:, 2:] - crops.regions[:, :2]
        unrounded = crops.heatmap_to_image.copy()
        unrounded[:, :, 2] += size / 2 - np.round(size / 2)
        wrong = Crops(crops.regions, crops.image_to_input, unrounded, crops.valid)
        points = decoded(tensors[f"{key}/heatmap"], wrong)
        errors.append(points - np.array(answer["keypoints"])[: len(points), :, :2])
    assert worst(errors) > 0.4


@pytest.mark.parametrize("preset", ["paddle", "accurate"])
@pytest.mark.parametrize("key", PAIRS)
def test_the_backends_agree(
    golden: dict[str, Any], shared: Path, official_models: Path, key: str, preset: str, check: Check
) -> None:
    ort, tflite = (estimate(official_models, key, backend, preset) for backend in FORMATS)
    points = []
    for name in golden:
        photo = shared / "coco_dev" / "images" / name
        ours, theirs = ort(photo), tflite(photo)
        assert len(ours) == len(theirs)
        order = [int(np.abs(theirs.boxes - box).sum(axis=1).argmin()) for box in ours.boxes]
        sure = ours.scores >= SURE
        points.append((ours.keypoints - theirs.keypoints[order])[sure])
    check("end to end, tflite vs ort", f"{key}, {preset}, 24 photos, keypoints", worst(points), 0.02, "px")
