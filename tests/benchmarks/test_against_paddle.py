"""The comparison of engines with Paddle: every engine is compared before it is timed."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from pose_onnx import load_card
from pose_onnx.exporters.outputs import export_of

NAME = "tinypose_128x96"


@pytest.fixture(scope="module")
def against_paddle(script: Callable[[str], ModuleType]) -> ModuleType:
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    return script("against_paddle")


def test_a_network_is_compared_then_timed(
    against_paddle: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "lines.json"
    arguments = [NAME, "--work", str(tmp_path), "--rounds", "1", "--json", str(out)]
    monkeypatch.setattr("sys.argv", ["against_paddle.py", *arguments])
    against_paddle.main()
    (line,) = json.loads(out.read_text())["lines"]
    assert line["model"] == NAME
    engines = {"Paddle", "ONNX Runtime", "TFLite"}
    assert line["ms"].keys() == line["ratio"].keys() == engines
    assert line["ratio"]["Paddle"] == 1
    bar = export_of(load_card(NAME)).bars["fp32"]["heatmaps"]
    assert all(line["difference"][name]["heatmaps"] <= bar for name in engines)
    # oneDNN computes TinyPose incorrectly, so its time says nothing.
    assert line["difference"]["Paddle oneDNN"]["heatmaps"] > bar
    assert line["wrong"] == {"Paddle oneDNN": "computes something else"}
    assert "| tinypose_128x96 |" in capsys.readouterr().out


def test_what_is_made_is_not_made_again(
    against_paddle: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    for name in ("done", f"{NAME}.tflite", f"{NAME}.onnx"):
        (folder / name).touch()
    monkeypatch.setattr(against_paddle, "export", None)
    paddle, files = against_paddle.make(NAME, tmp_path)
    assert paddle == folder / "paddle"
    assert [file.suffix for file in files] == [".onnx", ".tflite"]
