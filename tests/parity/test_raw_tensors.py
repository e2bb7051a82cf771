"""The networks' own outputs: ONNX Runtime and TFLite against Paddle's golden tensors and each other.

Bars: 1e-6 is what float32 sums of some hundred products of order 1 may differ by when two engines add them
in another order; boxes are such a sum times a stride of up to 64 px.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pose_onnx import load_card, load_image
from pose_onnx._detect import detector_input
from pose_onnx._geometry import full_image_crops
from pose_onnx._keypoints import keypoint_input
from pose_onnx.runtimes import open_runtime
from tests.conftest import OFFICIAL
from tests.parity.conftest import Check

BARS = {"heatmaps": (5e-6, ""), "boxes": (1e-3, "px"), "scores": (5e-6, "")}
HALF_BARS = {"heatmaps": (3e-3, ""), "boxes": (0.05, "px"), "scores": (1e-3, "")}
PHOTOS = ("000000290248.jpg", "000000474854.jpg")


def run(path: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    runtime = open_runtime(path, {".onnx": "ort", ".tflite": "tflite"}[path.suffix], threads=1)
    return runtime.run({"image": image})


def noise(name: str) -> np.ndarray:
    """Return the input that the golden tensors were computed from."""
    card = load_card(name)
    count = 2 if card.task == "keypoints" else 1
    return np.random.default_rng(0).standard_normal((count, 3, *card.input_size)).astype(np.float32)


def from_photos(name: str, shared: Path) -> np.ndarray:
    card = load_card(name)
    tensors = []
    for photo in PHOTOS:
        pixels = load_image(shared / "coco_dev" / "images" / photo)
        height, width = pixels.shape[:2]
        if card.task == "detect":
            tensors.append(detector_input(pixels, card))
        else:
            boxes = np.array([[0, 0, width, height], [width / 4, 0, width / 2, height]], np.float32)
            crops = full_image_crops(boxes, (height, width), card.input_size, card.heatmap.stride)
            tensors.append(keypoint_input(pixels, crops, card))
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


@pytest.mark.parametrize(("variant", "bars"), [("", BARS), ("_fp16", HALF_BARS)], ids=["fp32", "fp16"])
@pytest.mark.parametrize("source", ["random input", "2 photos"])
@pytest.mark.parametrize("name", OFFICIAL)
def test_tflite_against_ort(
    shared: Path,
    official_models: Path,
    name: str,
    source: str,
    variant: str,
    bars: dict[str, tuple[float, str]],
    check: Check,
) -> None:
    image = noise(name) if source == "random input" else from_photos(name, shared)
    ours = run(official_models / f"{name}.onnx", image)
    theirs = run(official_models / f"{name}{variant}.tflite", image)
    for key, (bar, unit) in bars.items():
        if key in ours:
            error = np.abs(ours[key] - theirs[key]).max()
            stage = f"raw tensors, tflite{variant} vs ort"
            check(stage, f"{name}, {source}, {key}", error, bar, unit)
