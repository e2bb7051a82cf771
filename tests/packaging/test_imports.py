"""Who may import whom: read from the sources, and seen in a fresh process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pose_onnx

ROOT = Path(__file__).parents[2]
ENGINES = {
    "ort": {"onnxruntime"},
    "tflite": {"ai_edge_litert", "tflite_runtime"},
    "openvino": {"openvino"},
    "paddle": {"paddle", "google"},  # google.protobuf
}
HEAVY = {
    "paddle",
    "paddle2onnx",
    "onnx",
    "torch",
    "tensorflow",
    "pycocotools",
    "pyarrow",
    "ray",
    "scipy",
    "av",
    "supervision",
    "PIL",
    "pillow_heif",
    *set().union(*ENGINES.values()),
}

TYPES_ONLY = {"typing_extensions"}  # comes with the type checker
# What parts of the core may use besides NumPy and OpenCV; `test_importing_loads_nothing_heavy` sees when.
EXTRAS = {
    "pose_onnx/__init__.py": {"lazy_loader"},
    "pose_onnx/cli/": {"tqdm"},
    "pose_onnx/poses.py": {"supervision"},
    "pose_onnx/detections.py": {"supervision"},
    "pose_onnx/evaluation/": {"pycocotools", "tqdm"},
    "pose_onnx/heif.py": {"PIL", "pillow_heif"},
    "pose_onnx/formats/": {"supervision"},
    "pose_onnx/video/": {"av", "scipy"},
    "pose_onnx/ray/": {"fsspec", "pyarrow", "ray", "scipy"},
    "pose_onnx/zoo/": {"filelock", "tqdm"},
}
MAY_EXPORT = ("pose_onnx/cli/", "pose_onnx/__main__.py", "pose_onnx/zoo/")


def modules(folder: str) -> Iterator[tuple[str, ast.Module]]:
    """Give name and syntax tree of every module below a folder, links apart."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if not any(part.is_symlink() for part in path.parents):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> set[str]:
    """Return the full names of what a tree imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who imports whom"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def outside(names: set[str]) -> set[str]:
    """Return the top-level packages that are neither ours nor Python's."""
    tops = {name.partition(".")[0] for name in names}
    return tops - set(sys.stdlib_module_names) - {"pose_onnx"}


def test_runtimes_are_a_leaf() -> None:
    for path, tree in modules("runtimes"):
        names = imports(tree)
        ours = {name for name in names if is_below(name, "pose_onnx")}
        allowed = ("pose_onnx.errors", "pose_onnx.runtimes")
        strange = {name for name in ours if not any(is_below(name, package) for package in allowed)}
        assert not strange, path
        assert outside(names) <= {"numpy", *ENGINES.get(Path(path).stem, set())}, path


def test_the_core_knows_no_engine_and_no_exporter() -> None:
    for path, tree in modules("pose_onnx"):
        names = imports(tree)
        in_cli = path.startswith(("pose_onnx/cli/", "pose_onnx/__main__.py"))
        extras = next((packages for start, packages in EXTRAS.items() if path.startswith(start)), set())
        assert outside(names) <= {"numpy", "cv2", *TYPES_ONLY, *extras}, path
        assert path == "pose_onnx/core/opencv.py" or "cv2" not in outside(names), (
            f"{path}: use pose_onnx.core.opencv"
        )
        may_export = path.startswith(MAY_EXPORT)
        assert may_export or not any(is_below(name, "pose_onnx.exporters") for name in names), path
        assert in_cli or not any(is_below(name, "pose_onnx.cli") for name in names), path


def test_nobody_imports_the_adapters_directly() -> None:
    for folder in ("pose_onnx", "exporters"):
        for path, tree in modules(folder):
            adapters = (f"pose_onnx.runtimes.{name}" for name in ENGINES)
            assert not imports(tree) & set(adapters), path


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh process has after some code."""
    code = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_command_line_can_answer_ctrl_c_before_numpy_is_there() -> None:
    loaded = loaded_by("from pose_onnx.cli import main")
    assert "pose_onnx.cli" in loaded
    assert not {"numpy", "cv2"} & loaded


def test_every_public_name_is_there_and_no_other() -> None:
    for name in pose_onnx.__all__:
        assert getattr(pose_onnx, name) is not None
    assert set(pose_onnx.__all__) <= set(dir(pose_onnx))
    assert not hasattr(pose_onnx, "nothing")


@pytest.mark.parametrize(
    "module",
    [
        "pose_onnx",
        "pose_onnx.runtimes",
        "pose_onnx.cli",
        "pose_onnx.exporters",
        "pose_onnx.zoo",
        "pose_onnx.video",
    ],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    loaded = loaded_by(f"import {module}; from pose_onnx import *")
    assert not loaded & (HEAVY | TYPES_ONLY | {"tqdm", "filelock", "yaml", "flatbuffers"})
    assert module == "pose_onnx.exporters" or "pose_onnx.exporters" not in loaded
