"""A checkpoint goes through the command line: exported, verified again, and shown."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pose_onnx.cli import main

MODEL = "tinypose_128x96"


def test_export_verify_info(paddle_sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(paddle_sources / f"{MODEL}.npz")
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    assert main(["export", source, "--model", MODEL, "--sha256", digest, "--out", str(tmp_path)]) == 0
    assert '"trust": "given' in (tmp_path / f"{MODEL}.receipt.json").read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    files = [tmp_path / f"{MODEL}.onnx", tmp_path / f"{MODEL}.tflite"]
    for path in (*files, tmp_path / f"{MODEL}.receipt.json"):
        assert path.is_file()
        assert str(path) in printed
    assert "onnx fp32 vs plain ONNX Runtime" in printed
    assert main(["verify", *map(str, files)]) == 0
    assert "end to end" in capsys.readouterr().out
    for path in files:
        assert main(["info", str(path)]) == 0
        assert f"name          {MODEL}" in capsys.readouterr().out


def test_a_layout_is_made_of_the_float32_file_if_precisions_are_repeated(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "training" / "checkpoints" / f"{MODEL}_distilled.npz"
    words = ["--model", f"{MODEL}_distilled", "--to", "onnx", "--precision", "fp16,fp16,fp32"]
    assert main(["export", str(source), *words, "--layout", "triton", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "triton" / f"{MODEL}_distilled" / "config.pbtxt").is_file()


def test_a_failed_export_is_one_sentence_and_leaves_nothing(
    paddle_sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(paddle_sources / f"{MODEL}.npz")
    assert main(["export", source, "--model", "tinypose_999", "--out", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert len(errors.splitlines()) == 1
    assert "'tinypose_999' is not known" in errors
    assert list(tmp_path.iterdir()) == []
