"""The networks' own outputs: ONNX Runtime and TFLite against Paddle's golden tensors and each other.

Bars on random input: what float32 sums of some hundred products of order 1 may differ by when two engines
add them in another order; boxes are such a sum times a stride of up to 64 px.

On photos the networks themselves amplify the last bit. TinyPose's first depthwise convolutions cancel large
terms, so that a relative error of 2e-6 in the first layer is 6e-4 ten layers on: ONNX Runtime with its
fastest kernels differs from Paddle by up to 2.4e-5, with its plain ones by 8e-6, TFLite by 6e-6. PicoDet's
boxes swing where it is unsure: there ONNX Runtime is 1.1e-3 px away from the same network in float64. So
photos have bars of their own. What it means in the end, test_paddle_pipeline.py measures: boxes within
3e-4 px and keypoints within 0.007 px of PaddleDetection's.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import load_card, load_image
from pose_onnx.core.crops import full_image_crops
from pose_onnx.core.keypoints import keypoint_input
from pose_onnx.detector import detector_input
from pose_onnx.runtimes import backend_for, open_runtime
from tests.conftest import OFFICIAL
from tests.parity.conftest import Check

BARS = {"heatmaps": (5e-6, ""), "boxes": (1e-3, "px"), "scores": (5e-6, "")}
PHOTO_BARS = {"heatmaps": (1e-4, ""), "boxes": (5e-3, "px"), "scores": (3e-5, "")}
HALF_BARS = {"heatmaps": (3e-3, ""), "boxes": (0.05, "px"), "scores": (1e-3, "")}


def run(path: Path, image: np.ndarray, backend: str | None = None) -> dict[str, np.ndarray]:
    runtime = open_runtime(path, backend or backend_for(path), threads=1)
    return runtime.run({"image": image})


def noise(name: str) -> np.ndarray:
    """Return the input that the golden tensors were computed from."""
    card = load_card(name)
    count = 2 if card.task == "keypoints" else 1
    return np.random.default_rng(0).standard_normal((count, 3, *card.picture.size)).astype(np.float32)


def from_photos(name: str, shared: Path) -> np.ndarray:
    """Return the 24 golden photos; for a keypoint model, the people that Paddle found in them."""
    card = load_card(name)
    answers = json.loads((shared / "golden" / "paddle_deploy.json").read_text())
    tensors = []
    for photo, answer in answers.items():
        pixels = load_image(shared / "coco_dev" / "images" / photo)
        if card.task == "detect":
            tensors.append(detector_input(pixels, card.picture)[0])
        else:
            boxes = np.array(answer["picodet_320+tinypose_256x192"]["boxes"], np.float32).reshape(-1, 4)
            crops = full_image_crops(boxes, pixels.shape[:2], card.picture.size, 4)
            tensors.append(keypoint_input(pixels, crops, card.picture))
    return np.concatenate(tensors)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize("name", OFFICIAL)
def test_against_paddle(shared: Path, official_models: Path, name: str, suffix: str, check: Check) -> None:
    golden = np.load(shared / "golden" / f"raw_{name}.npz")
    outputs = run(official_models / f"{name}{suffix}", noise(name))
    for key in golden.files:
        found = outputs[key] if key == "heatmaps" else outputs[key][0].reshape(golden[key].shape)
        bar, unit = BARS[key]
        error = np.abs(found - golden[key]).max()
        check(f"raw tensors, {suffix[1:]} vs Paddle", f"{name}, random input, {key}", error, bar, unit)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize("name", ["tinypose_128x96", "tinypose_256x192"])
def test_against_paddle_on_photos(
    shared: Path, official_models: Path, name: str, suffix: str, check: Check
) -> None:
    tensors = np.load(shared / "golden" / "paddle_pose_tensors.npz")
    keys = [key.removesuffix("/input") for key in tensors.files if key.endswith(f"{name}/input")]
    errors = [
        np.abs(
            run(official_models / f"{name}{suffix}", tensors[f"{key}/input"])["heatmaps"]
            - tensors[f"{key}/heatmap"]
        ).max()
        for key in keys
    ]
    bar, unit = PHOTO_BARS["heatmaps"]
    check(f"raw tensors, {suffix[1:]} vs Paddle", f"{name}, photos, heatmaps", max(errors), bar, unit)


@pytest.mark.parametrize("precision", ["", "_fp16"])
@pytest.mark.parametrize("source", ["random input", "24 photos"])
@pytest.mark.parametrize("name", OFFICIAL)
def test_tflite_against_ort(
    shared: Path, official_models: Path, name: str, source: str, precision: str, check: Check
) -> None:
    image = noise(name) if source == "random input" else from_photos(name, shared)
    bars = HALF_BARS if precision else BARS if source == "random input" else PHOTO_BARS
    ours = run(official_models / f"{name}.onnx", image)
    theirs = run(official_models / f"{name}{precision}.tflite", image)
    stage = f"raw tensors, tflite{precision} vs ort"
    for key, array in ours.items():
        bar, unit = bars[key]
        check(stage, f"{name}, {source}, {key}", np.abs(array - theirs[key]).max(), bar, unit)


@pytest.mark.parametrize("source", ["random input", "24 photos"])
@pytest.mark.parametrize("name", OFFICIAL)
def test_openvino_against_ort(
    shared: Path, official_models: Path, name: str, source: str, check: Check
) -> None:
    image = noise(name) if source == "random input" else from_photos(name, shared)
    bars = BARS if source == "random input" else PHOTO_BARS
    path = official_models / f"{name}.onnx"
    ours, theirs = run(path, image), run(path, image, "openvino")
    for key, array in ours.items():
        bar, unit = bars[key]
        check(
            "raw tensors, openvino vs ort",
            f"{name}, {source}, {key}",
            np.abs(array - theirs[key]).max(),
            bar,
            unit,
        )
