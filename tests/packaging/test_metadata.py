"""What the package says of itself is the same everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pose_onnx
from pose_onnx import PoseOnnxError, errors
from pose_onnx.cli import main

ROOT = Path(__file__).parents[2]


PROJECT = re.search(
    r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
)


def test_changelog_ends_at_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert PROJECT
    assert headings[1] == PROJECT[1]


def test_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert PROJECT
    assert pose_onnx.__version__ == PROJECT[1]
    with pytest.raises(SystemExit):
        main(["--version"])
    assert PROJECT[1] in capsys.readouterr().out


def test_a_checkout_that_was_never_installed_can_be_imported() -> None:
    code = (
        "import importlib.metadata as metadata\n"
        "def nothing(name):\n"
        "    raise metadata.PackageNotFoundError(name)\n"
        "metadata.version = nothing\n"
        "import pose_onnx\n"
        "print(pose_onnx.__version__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "0+unknown"


def test_public_names_exist_once() -> None:
    assert len(set(pose_onnx.__all__)) == len(pose_onnx.__all__)
    assert all(hasattr(pose_onnx, name) for name in pose_onnx.__all__)


def test_every_error_is_public_and_one_of_the_tree() -> None:
    known = {
        name: item
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, Exception)
    }
    for name, error in known.items():
        assert issubclass(error, PoseOnnxError)
        assert getattr(pose_onnx, name) is error
        assert name in pose_onnx.__all__


def readme_and_project() -> tuple[str, str]:
    readme, project = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "pyproject.toml"))
    return readme, project


def test_the_weights_of_all_extras_are_told() -> None:
    readme, project = readme_and_project()
    section = re.search(r"^\[project\.optional-dependencies\]\n(.+?)^\[", project, re.MULTILINE | re.DOTALL)
    assert section
    extras = set(re.findall(r"^(\w+) = \[", section[1], re.MULTILINE)) - {"test", "dev"}
    header = next(line for line in readme.splitlines() if line.startswith("| base |"))
    assert set(re.findall(r"`\[(\w+)\]`", header)) == extras


def test_the_commands_that_swap_a_build_name_what_is_installed() -> None:
    readme, project = readme_and_project()
    section = re.search(r"^dependencies = \[\n(.+?)^\]", project, re.MULTILINE | re.DOTALL)
    assert section
    installed = re.findall(r'^  "([\w-]+)', section[1], re.MULTILINE)
    swaps = re.findall(r"^pip uninstall -y ([\w-]+) && pip install '?([\w-]+)", readme, re.MULTILINE)
    assert swaps == [("opencv-python", "opencv-python-headless"), ("onnxruntime", "onnxruntime-gpu")]
    assert {old for old, _ in swaps} <= set(installed)
