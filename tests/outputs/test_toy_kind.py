"""A kind of output from outside the package goes through export, card, core and command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PHOTO = ROOT / "models" / "photos" / "astronaut.jpg"
CARD = {
    "version": 2,
    "name": "toy",
    "architecture": "none",
    "input": {"size": [16, 12], "resize": "affine_crop"},
    "output": {"kind": "toy_points", "stride": 1},
    "keypoints": ["a", "b", "c", "d"],
    "source": "made by the tests",
}
ENTRY_POINTS = """
[pose_onnx.outputs]
toy_points = toy_kind:PointOutput
[pose_onnx.exporters.outputs]
toy_points = toy_kind:EXPORT
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as pip installs another package into."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "toy_kind.py").write_bytes((HERE / "toy_kind.py").read_bytes())
    info = folder / "toy_kind-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-kind\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def run(site: Path | None, *command: str | Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*([str(site)] if site else []), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env={**os.environ, "PYTHONPATH": path, "GLOG_minloglevel": "2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_from_export_to_the_command_line(site: Path, tmp_path: Path) -> None:
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    folder, card = tmp_path / "toy", tmp_path / "card.json"
    folder.mkdir()
    card.write_text(json.dumps(CARD))
    done = run(None, "-W", "ignore", HERE / "paddle_points.py", folder)
    assert done.returncode == 0, done.stderr
    cli = ("-m", "pose_onnx")
    done = run(site, *cli, "export", folder, "--card", card, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    receipt = json.loads((tmp_path / "toy.receipt.json").read_text())
    assert {error["output"] for error in receipt["errors"]} == {"points"}
    for file in ("toy.onnx", "toy.tflite"):
        done = run(site, *cli, "info", tmp_path / file)
        assert done.returncode == 0, done.stderr
        assert "toy_points" in done.stdout
    results = tmp_path / "results"
    done = run(site, *cli, "run", PHOTO, "--pose", tmp_path / "toy.onnx", "--out", results)
    assert done.returncode == 0, done.stderr
    (image,) = json.loads((results / "poses.json").read_text())["images"]
    assert image["keypoint_names"] == CARD["keypoints"]
    assert len(image["people"]) == 1
    done = run(None, *cli, "info", tmp_path / "toy.onnx")  # without the other package
    assert done.returncode != 0
    assert "toy_points" in done.stderr
    assert "Traceback" not in done.stderr
