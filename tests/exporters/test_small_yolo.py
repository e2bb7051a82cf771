"""A small PP-YOLO with all that the large ones have, exported and run beside Paddle (yolo_folder.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest

from pose_onnx import BoxOutput, read_card
from pose_onnx.exporters import export
from tests.exporters.final_boxes import compare_final_boxes

SCRIPT = Path(__file__).with_name("yolo_folder.py")

FORMATS = {"pdmodel": "0", "json": "1"}
"""Of the program, and the flag with which Paddle writes it."""


@pytest.fixture(scope="module", params=FORMATS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("paddle2onnx") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    path = tmp_path_factory.mktemp("small_yolo")
    subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT, path],
        check=True,
        capture_output=True,
        env={**os.environ, "FLAGS_enable_pir_api": FORMATS[request.param], "GLOG_minloglevel": "2"},
    )
    return path


def test_final_boxes_are_those_of_paddle(folder: Path, tmp_path: Path) -> None:
    file, tflite, whole = export(folder, out=tmp_path, end_to_end=True).files
    assert read_card(file).output == BoxOutput(nms="matrix_gaussian", sigma=2.0, ends_inside=True)
    operators = {node.op_type for node in onnx.load(file).graph.node}
    assert "DeformConv" in operators
    assert "NonMaxSuppression" not in operators
    assert whole.name == f"{folder.name}_end_to_end.onnx"
    compare_final_boxes(folder, [file, tflite], tmp_path)
