"""The built-in pair against Paddle: needs nothing but this checkout, so it proves something on every machine.

builtin_golden.npz is written by make_golden.py, with the checkpoints' float32 weights. The files in the
package have float16 weights and are held to float32's bars, because the checkpoints' kernels are float16
numbers once their batch norms are folded in (training/predict.py, round_kernels). Where the export tools are
installed, the checkpoints are also exported in float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_onnx import PRESETS, DependencyError, HeatmapOutput, PoseEstimator, load_card, load_image
from pose_onnx.core.crops import Crops
from pose_onnx.core.keypoints import keypoint_input, keypoints_in_image
from pose_onnx.detector import detector_input
from pose_onnx.exporters import export
from pose_onnx.runtimes import open_runtime
from tests.parity.conftest import Check
from tests.parity.make_golden import DETECTOR, GOLDEN, HEIGHT, PHOTOS, POSE, ROOT, SIDE, WIDTH, noise, sample
from tests.parity.test_raw_tensors import PHOTO_BARS

SUFFIXES = {"ort": ".onnx", "tflite": ".tflite"}
SURE = 0.2
Golden = dict[str, NDArray[Any]]


class Bars(NamedTuple):
    """What may differ: heatmaps and scores; in pixels, all cells' boxes, people's boxes, half of a
    person's keypoints, and the worst of them."""

    heatmaps: float
    scores: float
    cells: float
    boxes: float
    half: float
    keypoints: float


# As in test_raw_tensors.py and test_paddle_pipeline.py, for the same reasons.
BARS = Bars(PHOTO_BARS["heatmaps"][0], 1e-4, PHOTO_BARS["boxes"][0], 0.01, 0.05, 0.05)


@pytest.fixture(scope="module")
def golden() -> Golden:
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.fixture(scope="module")
def float32_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("float32")
    try:
        for name in (DETECTOR, POSE):
            export(ROOT / "training" / "checkpoints" / f"{name}.npz", model=name, out=folder)
    except DependencyError as error:
        pytest.skip(f"the checkpoints cannot be exported here: {error}")
    return folder


@pytest.fixture(scope="module", params=["float16", "float32"])
def files(request: pytest.FixtureRequest) -> tuple[str, Path]:
    if request.param == "float16":
        return "built-in (float16)", ROOT / "models"
    return "built-in (float32)", request.getfixturevalue("float32_files")


def error(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted).max())


def image_input(photo: Path) -> NDArray[np.float32]:
    return detector_input(load_image(photo), load_card(DETECTOR).picture)[0]


def crops_of(golden: Golden, photo: Path, preset: str) -> Crops:
    card = load_card(POSE)
    boxes = golden[f"{photo.name}/{preset}/boxes"]
    height, width = load_image(photo).shape[:2]
    return PRESETS[preset].crops(boxes, (height, width), card.picture.size, 4)


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.name)
def test_detector_input(golden: Golden, photo: Path, check: Check) -> None:
    tensor = image_input(photo)
    wanted = golden[f"{photo.name}/input"]
    check("built-in: pre-processing", f"{photo.name}, detector", error(sample(tensor), wanted), 0.0, "")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.name)
def test_keypoint_input(golden: Golden, photo: Path, preset: str, check: Check) -> None:
    tensor = keypoint_input(load_image(photo), crops_of(golden, photo, preset), load_card(POSE).picture)
    wanted = golden[f"{photo.name}/{preset}/input"]
    check("built-in: pre-processing", f"{photo.name}, {preset}", error(sample(tensor), wanted), 0.0, "")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.name)
def test_decode(golden: Golden, photo: Path, preset: str, check: Check) -> None:
    heatmaps = golden[f"{photo.name}/halves"].astype(np.float32)[None]
    crops = crops_of(golden, photo, preset)
    output = load_card(POSE).output
    assert isinstance(output, HeatmapOutput)
    points, scores = keypoints_in_image(*output.read({"heatmaps": heatmaps}, PRESETS[preset]), crops)
    wanted = golden[f"{photo.name}/{preset}/decoded"]
    check("built-in: decode", f"{photo.name}, {preset}", error(points[0], wanted[:, :2]), 2e-4, "px")
    np.testing.assert_array_equal(scores[0], wanted[:, 2])


@pytest.mark.parametrize("backend", SUFFIXES)
def test_networks(golden: Golden, files: tuple[str, Path], backend: str, check: Check) -> None:
    what, folder = files
    card = load_card(POSE)
    detector = open_runtime(folder / f"{DETECTOR}{SUFFIXES[backend]}", backend, threads=1)
    pose = open_runtime(folder / f"{POSE}{SUFFIXES[backend]}", backend, threads=1)
    boxes, scores, heatmaps = [], [], []
    inputs = {"random": noise(1, 3, SIDE, SIDE)}
    inputs |= {photo.name: image_input(photo) for photo in PHOTOS}
    for key, tensor in inputs.items():
        found = detector.run({"image": tensor})
        boxes.append(error(sample(found["boxes"]), golden[f"{key}/boxes"]))
        scores.append(error(sample(found["scores"]), golden[f"{key}/scores"]))
    inputs = {"random": noise(1, 3, HEIGHT, WIDTH)}
    for photo in PHOTOS:
        for preset in PRESETS:
            crops = crops_of(golden, photo, preset)
            inputs[f"{photo.name}/{preset}"] = keypoint_input(load_image(photo), crops, card.picture)
    for key, tensor in inputs.items():
        found = pose.run({"image": tensor})
        heatmaps.append(error(sample(found["heatmaps"]), golden[f"{key}/heatmaps"]))
    stage = f"{what} vs Paddle"
    check(stage, f"{backend}, heatmaps", max(heatmaps), BARS.heatmaps, "")
    check(stage, f"{backend}, scores", max(scores), BARS.scores, "")
    check(stage, f"{backend}, boxes of all cells", max(boxes), BARS.cells, "px")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("backend", SUFFIXES)
def test_end_to_end(golden: Golden, files: tuple[str, Path], backend: str, preset: str, check: Check) -> None:
    what, folder = files
    boxes, scores, half, points = [], [], [], []
    paths = [folder / f"{name}{SUFFIXES[backend]}" for name in (DETECTOR, POSE)]
    with PoseEstimator(*paths, backend=backend, preset=preset, threads=1) as estimator:
        for photo in PHOTOS:
            key = f"{photo.name}/{preset}"
            poses, wanted = estimator(photo), golden[f"{key}/keypoints"]
            boxes.append(error(poses.boxes, golden[f"{key}/boxes"]))
            scores.append(error(poses.box_scores, golden[f"{key}/box_scores"]))
            scores.append(error(poses.scores[0], wanted[:, 2]))
            sure = wanted[:, 2] >= SURE
            points.append(error(poses.keypoints[0][sure], wanted[sure, :2]))
            half.append(float(np.median(np.abs(poses.keypoints[0][sure] - wanted[sure, :2]))))
    stage = f"{what}, {preset}"
    check(stage, f"{backend}, end to end, boxes", max(boxes), BARS.boxes, "px")
    check(stage, f"{backend}, end to end, scores", max(scores), BARS.scores, "")
    check(stage, f"{backend}, end to end, half of the keypoints", max(half), BARS.half, "px")
    check(stage, f"{backend}, end to end, keypoints", max(points), BARS.keypoints, "px")
