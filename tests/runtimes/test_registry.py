"""From a name to an adapter: every way in which that can fail says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnxruntime import get_available_providers

from pose_onnx import DependencyError, EngineError, InputError, ModelFileError, UnknownNameError
from pose_onnx.runtimes import (
    BACKENDS,
    backend_for,
    backend_names,
    fills_device,
    installed_backends,
    is_parallel,
    load_adapter,
    model_suffix,
    open_runtime,
    run_pixels,
)
from pose_onnx.runtimes._registry import FOLDER
from pose_onnx.runtimes._traits import CPU_RUN_PIXELS

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "tinypose_128x96_distilled.onnx"


def test_unknown_backend_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"'tflit' is not known; did you mean 'tflite'\? choose"):
        open_runtime("model.onnx", "tflit")
    with pytest.raises(UnknownNameError, match="'tflit' is not known"):
        model_suffix("tflit")


def test_suffixes(tmp_path: Path) -> None:
    assert {name: model_suffix(name) for name in BACKENDS} == {
        "ort": ".onnx",
        "tflite": ".tflite",
        "openvino": ".onnx",
        "paddle": FOLDER,
    }
    assert backend_for("a.onnx") == "ort"
    assert backend_for("a.TFLITE") == "tflite"
    assert backend_for(tmp_path) == "paddle"
    for name in ("a", "a.pt"):
        with pytest.raises(ModelFileError, match=r"not a model file.* \.onnx or \.tflite, or a Paddle"):
            backend_for(name)


def test_only_engines_known_to_run_in_parallel_are_trusted_to() -> None:
    installed = [name for name in BACKENDS if name in installed_backends()]
    assert {name for name in installed if is_parallel(load_adapter(name))} == {"ort", "tflite"} & set(
        installed
    )


def test_an_adapter_says_what_it_is_good_at_or_nothing() -> None:
    nothing, everything = object(), SimpleNamespace(is_parallel=True, fills_device=True, run_pixels=7)
    assert (is_parallel(nothing), fills_device(nothing), run_pixels(nothing)) == (
        False,
        False,
        CPU_RUN_PIXELS,
    )
    assert (is_parallel(everything), fills_device(everything), run_pixels(everything)) == (True, True, 7)


@pytest.mark.parametrize(
    ("backend", "command"),
    [
        ("ort", "pip install onnxruntime"),
        ("tflite", r"pip install 'pose-onnx\[tflite\]'"),
        ("openvino", r"pip install 'pose-onnx\[openvino\]'"),
        ("paddle", r"pip install 'pose-onnx\[paddle\]'"),
    ],
)
def test_missing_engine_names_the_pip_command(
    backend: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = set(BACKENDS[backend].engines)
    found = "pose_onnx.runtimes._registry.find_spec"
    monkeypatch.setattr(found, lambda name: None if name in absent else object())
    with pytest.raises(DependencyError, match=f"{backend}.*not installed; run: {command}"):
        open_runtime("model.onnx", backend)
    assert backend not in installed_backends()
    assert backend in backend_names()


@pytest.mark.parametrize("backend", BACKENDS)
def test_engine_that_cannot_load_is_one_sentence(backend: str, tmp_path: Path) -> None:
    for engine in BACKENDS[backend].engines:
        (tmp_path / engine).mkdir()
        (tmp_path / engine / "__init__.py").write_text("raise ImportError('libfoo.so.1: no such file')")
    suffix = BACKENDS[backend].suffix
    model = MODEL.with_suffix(suffix) if suffix else MODEL.parent
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "from pose_onnx import DependencyError\n"
        "from pose_onnx.runtimes import open_runtime\n"
        f"try: open_runtime({str(model)!r}, {backend!r})\n"
        "except DependencyError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "libfoo.so.1" in done.stdout
    assert "install" in done.stdout


def test_providers_are_strict() -> None:
    cases: tuple[tuple[object, str], ...] = (
        (["CUDAExecutionProvider"], r"CUDAExecutionProvider.*\['.*CPUExecutionProvider'"),
        (["NoSuchProvider", "CPUExecutionProvider"], "NoSuchProvider"),
        ("CPUExecutionProvider", "give a list"),
        ([], "give a list"),
        ([("NoSuchProvider", {})], "NoSuchProvider"),
        ([("CPUExecutionProvider",)], r"\(name, options\)"),
        ([("CPUExecutionProvider", "fast")], r"\(name, options\)"),
        ([7], r"\(name, options\)"),
    )
    for providers, reason in cases:
        with pytest.raises((InputError, EngineError), match=reason):
            open_runtime(MODEL, "ort", providers=providers)


@pytest.mark.skipif(int(np.__version__.split(".")[0]) < 2, reason="tflite-runtime works with NumPy 1")
def test_tflite_runtime_is_not_brought_down_by_numpy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pose_onnx.runtimes.tflite.find_spec", lambda name: None if name == "ai_edge_litert" else object()
    )
    with pytest.raises(DependencyError, match=r"tflite_runtime.* NumPy 2.*pip install 'numpy<2'"):
        open_runtime(MODEL.with_suffix(".tflite"), "tflite")


def test_short_names_of_devices(tiny_pose: Path) -> None:
    for backend in ("ort", "openvino"):
        if backend in installed_backends():
            open_runtime(tiny_pose, backend, device="cpu").close()
    with pytest.raises(UnknownNameError, match="'cudda' is not known; did you mean 'cuda'"):
        open_runtime(tiny_pose, device="cudda")
    with pytest.raises(InputError, match="device='cpu' and providers were given; give one of them"):
        open_runtime(tiny_pose, device="cpu", providers=["CPUExecutionProvider"])
    available = str(get_available_providers()).lower()
    absent = next(name for name in ("cuda", "coreml") if f"{name}executionprovider" not in available)
    with pytest.raises(InputError, match=r"ExecutionProvider' is not in this onnxruntime build"):
        open_runtime(tiny_pose, device=absent)
