"""Names of end-to-end files that are made of networks that were renamed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pose_onnx import InputError
from pose_onnx.cli import main
from pose_onnx.exporters import lay_out
from tests.end_to_end.conftest import Files


def test_a_renamed_network_is_kept(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(files.pose_network, "pose.onnx")
    assert main(["export", "pose.onnx", "--end-to-end"]) == 0
    assert Path("pose.onnx").read_bytes() == files.pose_network.read_bytes()
    assert Path("pose_end_to_end.onnx").read_bytes() == files.pose.read_bytes()
    (folder,) = lay_out(["pose.onnx"], ["triton"])
    assert {model.name for model in folder.iterdir()} == {"pose", "pose_end_to_end"}


def test_two_networks_of_one_name_are_refused(files: Files, tmp_path: Path) -> None:
    for task, network in (("detect", files.detector_network), ("pose", files.pose_network)):
        (tmp_path / task).mkdir()
        shutil.copy(network, tmp_path / task / "model.onnx")
    with pytest.raises(InputError, match="equal names; rename one"):
        lay_out(
            [tmp_path / "detect" / "model.onnx", tmp_path / "pose" / "model.onnx"], ["triton"], out=tmp_path
        )
