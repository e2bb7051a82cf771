"""The models in the package: they find the people of the demo photos, everywhere and with every engine.

golden.json is written by make_golden.py. Bars: detector boxes of two engines differ by some 1e-3 px, the crop
rounds that away, and keypoints of sure joints then differ by float32's rounding alone, a few 1e-3 px.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import PoseEstimator, load_card, load_image
from pose_onnx.cli import main
from pose_onnx.pose_estimator import DEFAULT_DETECTOR, DEFAULT_POSE
from pose_onnx.runtimes import installed_backends

PHOTOS = Path(__file__).parents[2] / "models" / "photos"
GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("golden.json").read_text())
SURE = 0.2


@pytest.fixture(scope="module", params=["ort", "tflite"])
def estimator(request: pytest.FixtureRequest) -> PoseEstimator:
    return PoseEstimator(backend=request.param, threads=1)


@pytest.mark.parametrize("photo", GOLDEN)
def test_equals_the_golden_answers(estimator: PoseEstimator, photo: str) -> None:
    expected = GOLDEN[photo]
    poses = estimator(PHOTOS / photo)
    assert len(poses) == len(expected["boxes"])
    np.testing.assert_allclose(poses.boxes, expected["boxes"], atol=0.01)
    np.testing.assert_allclose(poses.box_scores, expected["box_scores"], atol=1e-4)
    np.testing.assert_allclose(poses.scores, expected["scores"], atol=1e-3)
    sure = np.array(expected["scores"]) >= SURE
    np.testing.assert_allclose(poses.keypoints[sure], np.array(expected["keypoints"])[sure], atol=0.05)


def test_one_person_in_each_photo() -> None:
    assert {name: len(answer["boxes"]) for name, answer in GOLDEN.items()} == {
        "astronaut.jpg": 1,
        "camera.jpg": 1,
    }


def test_the_face_is_where_it_is() -> None:
    """Places read off the photo by eye, within 8 of 512 pixels."""
    names = load_card(DEFAULT_POSE).keypoints
    points = np.array(GOLDEN["astronaut.jpg"]["keypoints"][0])
    for joint, place in {"nose": (223, 124), "left_eye": (247, 106), "right_eye": (203, 103)}.items():
        np.testing.assert_allclose(points[names.index(joint)], place, atol=8)


@pytest.mark.parametrize("name", [DEFAULT_DETECTOR, DEFAULT_POSE])
def test_the_cards_say_how_they_were_made(name: str) -> None:
    card = load_card(name)
    assert "distilled" in card.source
    assert "AP" in card.published
    assert card.limits


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
