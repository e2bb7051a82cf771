"""The little network of the contract, as a file for every backend under test."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pose_onnx.runtimes import Tensor

THIRD_PARTY = "function"
# Naming the backends here, and not asking what is installed, makes a missing engine a failure, not a skip.
DEFAULT = "ort,tflite,openvino" + (
    ",paddle" if sys.version_info < (3, 13) else ""
)  # there is no Paddle for it
BACKENDS = (*os.environ.get("POSE_ONNX_TEST_BACKENDS", DEFAULT).split(","), THIRD_PARTY)
SOURCE = Path(__file__).with_name("function_runtime.py")
PADDLE_SCRIPT = Path(__file__).with_name("paddle_folder.py")


def _load_source() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_contract_reference", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _load_source()


@dataclass(frozen=True)
class Case:
    """One backend, a file or folder that it runs, what must come out, and where the third party is."""

    backend: str
    path: Path
    expected: Callable[[Tensor], dict[str, Tensor]]
    site: Path


@pytest.fixture(scope="session")
def weights() -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    return {
        "w": rng.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "b": rng.standard_normal(4).astype(np.float32),
    }


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Tensor]) -> dict[str, Path]:
    """The same network as one file, or folder, a backend."""
    folder = tmp_path_factory.mktemp("contract")
    files = {name: folder / f"little{suffix}" for name, suffix in SUFFIXES.items() if name in BACKENDS}
    for name, path in files.items():
        WRITERS[name](path, weights)
    return files


def onnx_bytes(weights: dict[str, Tensor]) -> bytes:
    nodes = [
        helper.make_node("Conv", ["image", "w", "b"], ["conv"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["conv"], ["heatmaps"]),
        helper.make_node("Transpose", ["heatmaps"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["last", "shape"], ["boxes"]),
    ]
    constants = {**weights, "shape": np.array([0, -1, 4])}
    graph = helper.make_graph(
        nodes,
        "little",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 6])],
        [
            helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, ["N", 4, 4, 3]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", 12, 4]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def write_onnx(path: Path, weights: dict[str, Tensor]) -> None:
    path.write_bytes(onnx_bytes(weights))


def write_tflite(path: Path, weights: dict[str, Tensor]) -> None:
    from pose_onnx.exporters.tflite import convert  # noqa: PLC0415 (only where TFLite is under test)

    path.write_bytes(convert(onnx.load_from_string(onnx_bytes(weights))))


def write_paddle(path: Path, weights: dict[str, Tensor]) -> None:
    path.mkdir()
    write_npz(path / "weights.npz", weights)
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(PADDLE_SCRIPT),
        str(path / "weights.npz"),
        str(path / "model"),
    ]
    subprocess.run(command, check=True, capture_output=True)  # Paddle keeps global state
    (path / "weights.npz").unlink()


def write_npz(path: Path, weights: dict[str, Tensor]) -> None:
    np.savez(path, w=weights["w"], b=weights["b"])


SUFFIXES = {"ort": ".onnx", "tflite": ".tflite", "openvino": ".onnx", "paddle": "", THIRD_PARTY: ".npz"}
WRITERS: dict[str, Callable[[Path, dict[str, Tensor]], None]] = {
    "ort": write_onnx,
    "tflite": write_tflite,
    "openvino": write_onnx,
    "paddle": write_paddle,
    THIRD_PARTY: write_npz,
}


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install `function_runtime` as pip would: a module and the metadata of its distribution."""
    site = tmp_path / "site-packages"
    info = site / "function_runtime-1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(SOURCE, site)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: function-runtime\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[pose_onnx.runtimes]\n{THIRD_PARTY} = function_runtime:FunctionRuntime\n"
        "broken = function_runtime:Absent\nuninstalled = absent_engine_of_a_test:Runtime\n"
    )
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("function_runtime", None)


@pytest.fixture(params=BACKENDS)
def case(
    request: pytest.FixtureRequest,
    third_party: Path,
    model_files: dict[str, Path],
    weights: dict[str, Tensor],
) -> Case:
    backend = request.param
    return Case(
        backend,
        model_files[backend],
        lambda image: reference.little_network(image, weights["w"], weights["b"]),
        third_party,
    )
