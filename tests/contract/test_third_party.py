"""A backend of another package: found by its entry point, and its defects reported as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose_onnx import DependencyError
from pose_onnx.runtimes import backend_names, model_suffix, open_runtime


def test_is_unknown_until_it_is_installed() -> None:
    assert "function" not in backend_names()


def test_is_found_by_its_entry_point(third_party: Path) -> None:
    assert third_party.is_dir()
    assert backend_names()[:2] == ("ort", "tflite")
    assert "function" in backend_names()
    assert model_suffix("function") == ".onnx"


@pytest.mark.parametrize("name", ["broken", "uninstalled"])
def test_an_entry_point_that_leads_nowhere(third_party: Path, name: str) -> None:
    with pytest.raises(DependencyError, match=rf"backend '{name}' is installed but cannot be loaded .*again"):
        open_runtime(third_party / "function_runtime.py", name)
