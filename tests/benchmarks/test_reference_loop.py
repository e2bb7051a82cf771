"""What the benchmarks compare with computes the same keypoints as `preset="paddle"`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

from pose_onnx import TopDownEstimator, decode_heatmaps, load_image

ROOT = Path(__file__).parents[2]
MODELS = ("picodet_s_192_lcnet_pedestrian_distilled", "tinypose_128x96_distilled")


@pytest.fixture(scope="module")
def loop_module(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("reference_loop")


@pytest.fixture(scope="module")
def pipeline(script: Callable[[str], ModuleType]) -> ModuleType:
    pytest.importorskip("paddle2onnx", reason="the plain files are made with pose-onnx[export]")
    return script("pipeline")


@pytest.fixture
def estimator() -> TopDownEstimator:
    return TopDownEstimator(preset="paddle", threads=1, threshold=0.5)  # finds each of four astronauts


def loop_of(module: ModuleType, estimator: TopDownEstimator, **options: Any) -> Any:
    """Return the loop on our own files: what the graphs are worth is measured elsewhere."""
    sessions = [onnxruntime.InferenceSession(ROOT / "models" / f"{name}.onnx") for name in MODELS]
    cards = estimator.detector.card, estimator.pose.card
    return module.ReferencePipeline(*sessions, *cards, threshold=estimator.detector.threshold, **options)


@pytest.mark.parametrize("photo", ["astronaut.jpg", "camera.jpg"])
def test_both_find_the_same_keypoints(
    pipeline: ModuleType, loop_module: ModuleType, estimator: TopDownEstimator, photo: str
) -> None:
    image = np.tile(load_image(ROOT / "models" / "photos" / photo), (2, 2, 1))
    loop = loop_of(loop_module, estimator, warp=pipeline.same_warp, batch=3)  # 4 people: a whole and a part
    assert len(estimator(image)) == 4
    assert pipeline.check_equal(estimator, loop, image) <= 0.01


def test_a_difference_is_seen(
    pipeline: ModuleType,
    loop_module: ModuleType,
    estimator: TopDownEstimator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = load_image(ROOT / "models" / "photos" / "camera.jpg")
    loop = loop_of(loop_module, estimator, warp=pipeline.same_warp)
    with pytest.raises(SystemExit, match="people against 0"):
        pipeline.check_equal(estimator, replace(loop, threshold=1), image)
    monkeypatch.setattr(loop_module, "EXPANSION", 1.31)
    with pytest.raises(SystemExit, match="px, the tolerance is"):
        pipeline.check_equal(estimator, loop, image)


def test_nobody(loop_module: ModuleType, estimator: TopDownEstimator) -> None:
    boxes, keypoints = replace(loop_of(loop_module, estimator), threshold=1)(np.zeros((48, 64, 3), np.uint8))
    assert (boxes.shape, keypoints.shape) == ((0, 4), (0, 17, 3))


def test_the_loop_over_joints_decodes_as_we_do(loop_module: ModuleType) -> None:
    rng = np.random.default_rng(0)
    heatmaps = np.abs(rng.normal(0, 0.1, (3, 17, 32, 24))).astype(np.float32)
    ours, _ = decode_heatmaps(heatmaps)
    np.testing.assert_allclose(loop_module.decode(heatmaps), ours, rtol=0, atol=1e-3)
