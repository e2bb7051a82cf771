"""What the package says of itself is the same everywhere."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pose_onnx
from pose_onnx import PoseOnnxError, errors

ROOT = Path(__file__).parents[2]


def test_changelog_ends_at_this_version() -> None:
    project = re.search(
        r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert project is not None
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert released[0] == project[1]


def test_version_is_that_of_the_installed_package() -> None:
    try:
        installed = version("pose-onnx")
    except PackageNotFoundError:
        installed = "0+unknown"
    assert pose_onnx.__version__ == installed


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
