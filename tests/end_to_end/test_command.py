"""`pose-onnx export --end-to-end`, from a checkpoint: the built-in model's own."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import InputError
from pose_onnx.cli import main
from pose_onnx.exporters import export
from pose_onnx.pairs import DEFAULT_POSE
from tests.end_to_end.conftest import MODELS, run

pytestmark = pytest.mark.skipif(
    find_spec("paddle") is None, reason="Paddle is not installed (extra 'export', Python 3.10 to 3.12)"
)


def test_a_file_of_each_precision_with_its_measurements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = MODELS.parent / "training" / "checkpoints" / f"{DEFAULT_POSE}.npz"
    options = ["--model", DEFAULT_POSE, "--to", "onnx,tflite", "--precision", "fp32,fp16", "--end-to-end"]
    assert main(["export", str(source), *options, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    receipt = json.loads((tmp_path / f"{DEFAULT_POSE}.receipt.json").read_text())
    stages = {item["stage"] for item in receipt["errors"]}
    for form in ("end_to_end", "end_to_end_fp16"):
        file = tmp_path / f"{DEFAULT_POSE}_{form}.onnx"
        assert str(file) in printed
        assert file.name in receipt["files"]
        assert f"{form} vs the core" in stages
        image, boxes = np.zeros((9, 8, 3), np.uint8), np.array([[1, 1, 8, 9]], np.float32)
        assert run(file, image, boxes=boxes)["keypoints"].shape == (1, 17, 2)


def test_end_to_end_files_are_onnx(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="add 'onnx'"):
        export(tmp_path / "x.npz", to=("tflite",), out=tmp_path, end_to_end=True)
