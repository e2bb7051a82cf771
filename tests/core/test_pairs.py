"""Pairs by quality: what is missing is one command for all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose_onnx import ModelFileError, PoseEstimator, TopDownEstimator, UnknownNameError, card_names
from pose_onnx.pairs import PAIRS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSE_ONNX_HOME", str(tmp_path))
    return tmp_path


def test_every_pair_has_cards() -> None:
    assert {name for pair in PAIRS.values() for name in pair} <= set(card_names())


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_missing_models_are_one_command(home: Path, quality: str) -> None:
    names = " ".join(PAIRS[quality])
    with pytest.raises(ModelFileError, match=f"pose-onnx models pull {names}$"):
        PoseEstimator(quality=quality)
    with pytest.raises(ModelFileError, match=f"models pull {PAIRS[quality].pose} --precision fp16$"):
        PoseEstimator(PAIRS["builtin"].detector, quality=quality, precision="fp16")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("backend", "precision", "hint"),
    [
        ("ort", "fp23", "choose a precision from fp32, fp16, int8-dynamic, int8$"),
        ("ort", "int8", f"pose-onnx export FILE --model {PAIRS['best'].detector} --precision int8"),
        ("paddle", "fp32", "'paddle' runs folders"),
    ],
)
def test_what_cannot_be_pulled_is_not_recommended_to(
    home: Path, backend: str, precision: str, hint: str
) -> None:
    del home
    with pytest.raises(ModelFileError, match=hint) as error:
        PoseEstimator(quality="best", backend=backend, precision=precision)
    assert "models pull" not in str(error.value)


def test_an_unknown_quality_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match=r"builtin.*fast.*best"):
        PoseEstimator(quality="fastest")


def test_what_is_given_goes_before_the_quality(home: Path, tiny_detector: Path, tiny_pose: Path) -> None:
    with TopDownEstimator(tiny_detector, tiny_pose, quality="best") as estimator:
        assert estimator.detector.card.name == "tiny_detector"
    assert list(home.iterdir()) == []
