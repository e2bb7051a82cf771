"""The little network of the contract, as a file for every backend under test."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
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
BACKENDS = (*os.environ.get("POSE_ONNX_TEST_BACKENDS", "ort,tflite,openvino").split(","), THIRD_PARTY)
SOURCE = Path(__file__).with_name("function_runtime.py")


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
    """One backend, a file that it runs, what must come out, and where the third party is installed."""

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
    """The same network as one file a backend."""
    folder = tmp_path_factory.mktemp("contract")
    files = {name: folder / f"little{suffix}" for name, suffix in SUFFIXES.items() if name in BACKENDS}
    for name, path in files.items():
        path.write_bytes(WRITERS[name](weights))
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


def tflite_bytes(weights: dict[str, Tensor]) -> bytes:
    from pose_onnx.exporters.tflite import convert  # noqa: PLC0415 (only where TFLite is under test)

    return convert(onnx.load_from_string(onnx_bytes(weights)))


def npz_bytes(weights: dict[str, Tensor]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, w=weights["w"], b=weights["b"])
    return stream.getvalue()


SUFFIXES = {"ort": ".onnx", "tflite": ".tflite", "openvino": ".onnx", THIRD_PARTY: ".npz"}
WRITERS: dict[str, Callable[[dict[str, Tensor]], bytes]] = {
    "ort": onnx_bytes,
    "tflite": tflite_bytes,
    "openvino": onnx_bytes,
    THIRD_PARTY: npz_bytes,
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
