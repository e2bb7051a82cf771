"""The wheel: built as pip builds it, it holds what it must and nothing else, and works on its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "pose_onnx",
    "runtimes",
    "exporters",
    "models",
    "examples",
)
FOLDERS = {"runtimes": "pose_onnx/runtimes", "exporters": "pose_onnx/exporters", "models": "pose_onnx/models"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy: setuptools writes beside the sources."""
    copy = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(source, copy)
    out = copy / "dist"
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def modules_of(folder: Path, *, shipped_as: str) -> set[str]:
    """Return the Python files below a folder, links apart, by the names that they have in the wheel."""
    found = (path for path in folder.rglob("*.py") if not any(part.is_symlink() for part in path.parents))
    return {f"{shipped_as}/{path.relative_to(folder).as_posix()}" for path in found}


def test_every_module_is_in_it_once_and_nothing_else(names: list[str]) -> None:
    expected = modules_of(ROOT / "pose_onnx", shipped_as="pose_onnx")
    for folder, shipped_as in FOLDERS.items():
        expected |= modules_of(ROOT / folder, shipped_as=shipped_as)
    shipped = [name for name in names if name.endswith(".py")]
    assert sorted(shipped) == sorted(expected)


def test_cards_marker_and_licence_are_in_it(names: list[str]) -> None:
    cards = {f"pose_onnx/models/{path.name}" for path in (ROOT / "models").glob("*.json")}
    assert cards
    assert cards <= set(names)
    assert "pose_onnx/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 14_000_000


def test_the_web_page_is_in_it(names: list[str]) -> None:
    page = {f"pose_onnx/web/{path.name}" for path in (ROOT / "examples" / "web").iterdir()}
    assert {name for name in names if name.startswith("pose_onnx/web/")} == page


def test_no_top_level_package_but_ours(names: list[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pose_onnx"}


def test_works_away_from_the_checkout_with_numpy_and_opencv_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys, pose_onnx, pose_onnx.runtimes, pose_onnx.exporters, pose_onnx.cli\n"
        "assert pose_onnx.__file__.startswith(sys.argv[1]), pose_onnx.__file__\n"
        "assert pose_onnx.load_card('tinypose_128x96').name == 'tinypose_128x96'\n"
        "others = {'onnxruntime', 'ai_edge_litert', 'onnx', 'paddle', 'flatbuffers', 'yaml', 'tqdm'}\n"
        "assert not others & set(sys.modules), others & set(sys.modules)\n"
        "raise SystemExit(pose_onnx.cli.main(['models']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "POSE_ONNX_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tinypose_128x96" in done.stdout
