"""The models in the package: they find the people of the demo photos, everywhere and with every engine.

golden.json is written by make_golden.py. Bars: detector boxes of two engines differ by some 1e-3 px, the
crop rounds that away, and keypoints of sure joints then differ by float32's rounding alone, a few 1e-3 px.
Box scores differ by 7e-7, and golden.json rounds them to five digits.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import PoseEstimator, load_card, load_image, read_card
from pose_onnx.cli import main
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from pose_onnx.runtimes import installed_backends

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
PHOTOS = MODELS / "photos"
GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("golden.json").read_text())
SURE = 0.2
BOX_SCORE_BAR = 2e-5


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module", params=["ort", "tflite"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def estimator(backend: str) -> PoseEstimator:
    return PoseEstimator(backend=backend, threads=1)


@pytest.mark.parametrize("photo", GOLDEN)
def test_equals_the_golden_answers(estimator: PoseEstimator, photo: str) -> None:
    expected = GOLDEN[photo]
    poses = estimator(PHOTOS / photo)
    assert len(poses) == len(expected["boxes"])
    np.testing.assert_allclose(poses.boxes, expected["boxes"], atol=0.01)
    np.testing.assert_allclose(poses.box_scores, expected["box_scores"], atol=BOX_SCORE_BAR)
    np.testing.assert_allclose(poses.scores, expected["scores"], atol=1e-3)
    sure = np.array(expected["scores"]) >= SURE
    np.testing.assert_allclose(poses.keypoints[sure], np.array(expected["keypoints"])[sure], atol=0.05)


def test_the_face_is_where_it_is(estimator: PoseEstimator) -> None:
    """Places read off the photo by eye, within 8 of 512 pixels."""
    poses = estimator(PHOTOS / "astronaut.jpg")
    for joint, place in {"nose": (223, 124), "left_eye": (247, 106), "right_eye": (203, 103)}.items():
        np.testing.assert_allclose(poses.keypoints[0, poses.names.index(joint)], place, atol=8)


@pytest.mark.parametrize("name", [DEFAULT_DETECTOR, DEFAULT_POSE])
def test_files_card_receipt_and_checkpoint_belong_together(name: str) -> None:
    """All is from one export: a changed card or checkpoint needs `python -m training.export`."""
    receipt = json.loads((MODELS / "receipts" / f"{name}.json").read_text())
    assert receipt["source"] == {f"{name}.npz": sha256(ROOT / "training" / "checkpoints" / f"{name}.npz")}
    for suffix in (".onnx", ".tflite"):
        file = MODELS / f"{name}{suffix}"
        assert receipt["files"][f"{name}_fp16{suffix}"] == sha256(file)
        assert read_card(file) == load_card(name)


@pytest.mark.parametrize("name", [DEFAULT_DETECTOR, DEFAULT_POSE])
@pytest.mark.parametrize("document", ["README.md", "docs/accuracy.md", "training/README.md"])
def test_documents_say_what_the_cards_say(name: str, document: str) -> None:
    figure = re.search(r"AP (\d+\.\d) ", load_card(name).published)
    assert figure
    assert figure[1] in (ROOT / document).read_text(encoding="utf-8")


def test_demo_needs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for backend in installed_backends():
        if backend in {"ort", "tflite"}:
            assert f"backend {backend}" in printed
            result = json.loads((tmp_path / backend / "poses.json").read_text())
            assert [len(image["people"]) for image in result["images"]] == [1, 1]
            for image in result["images"]:
                assert load_image(image["picture"]).shape == (512, 512, 3)
