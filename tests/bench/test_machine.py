"""What a report says of the machine, and of memory."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from pose_onnx import __version__
from pose_onnx.bench import machine, memory_of, peak_memory_mb, quartiles, versions


def test_the_machine_has_a_name_and_cores() -> None:
    found = machine()
    assert found["cpu"]
    assert 1 <= found["usable_cores"] <= found["cores"] == os.cpu_count()


def test_versions_are_of_the_engines_measured() -> None:
    found = versions(["ort", "a_third_party's"])
    assert found["pose-onnx"] == __version__
    assert found["numpy"] == version("numpy")
    assert found["onnxruntime"] == version("onnxruntime")
    assert "openvino" not in found


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say")
def test_the_peak_stays_when_memory_is_given_back() -> None:
    before = peak_memory_mb()
    block = bytearray(os.urandom(1) * 300 * 1024**2)
    del block
    after = peak_memory_mb()
    assert before is not None
    assert after is not None
    assert after >= max(before, 300)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is that of more than one program")
def test_memory_is_that_of_the_estimator_alone(tiny_detector: Path, tiny_pose: Path) -> None:
    block = bytearray(b"x" * 700 * 1024**2)  # of this process, so not of the one that is weighed
    arguments = {"detector": str(tiny_detector), "pose": str(tiny_pose), "threads": 1}
    photo = Path(__file__).parents[2] / "models" / "photos" / "camera.jpg"
    peak = memory_of(arguments, [photo])
    assert peak is not None
    assert 30 < peak < len(block) / 1024**2


def test_quartiles() -> None:
    assert quartiles([5, 1, 2, 4, 3]) == (3, 2, 4)
    assert quartiles([7.0]) == (7, 7, 7)
