"""`pose-onnx demo --official`: both pairs, side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose_onnx import load_image, zoo
from pose_onnx.cli import main
from pose_onnx.pairs import PAIRS
from pose_onnx.runtimes import _registry
from tests.conftest import write_stand_in


def test_official_models_are_fetched_and_shown_beside_the_built_in_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("POSE_ONNX_HOME", str(home))
    fetched = []

    def pull(name: str, *, progress: bool) -> None:
        fetched.append((name, progress))
        write_stand_in(name, home)

    monkeypatch.setattr(zoo, "pull", pull)
    assert main(["demo", "--official", "--out", str(tmp_path / "out")]) == 0
    assert fetched == [(name, True) for name in PAIRS["best"]]
    folder = tmp_path / "out" / "official"
    for photo in ("astronaut_pose.jpg", "camera_pose.jpg"):
        height, width, _ = load_image(folder / "builtin" / photo).shape
        assert load_image(folder / "side_by_side" / photo).shape == (height, 2 * width, 3)


def test_without_any_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_registry, "find_spec", lambda _: None)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 2
    assert (
        "backend 'ort' needs 'onnxruntime', which is not installed; run: pip install"
        in capsys.readouterr().err
    )
