"""The built-in models as end-to-end files, and ways to run one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from pose_onnx import ModelCard, read_card
from pose_onnx.core.arrays import Image
from pose_onnx.exporters.end_to_end import assemble
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = Path(__file__).parent
PLAYWRIGHT = "playwright-core@1.65.1"  # drives a browser; brings none
MODELS = Path(__file__).parents[2] / "models"
PHOTOS = sorted((MODELS / "photos").glob("*.jpg"))
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Files:
    """Both end-to-end files, and the networks' own."""

    detector: Path
    pose: Path
    detector_network: Path
    pose_network: Path


def wrap(network: Path, folder: Path) -> Path:
    """Write the end-to-end file of an exported network."""
    file = folder / f"{network.stem}_end_to_end.onnx"
    onnx.save(assemble(onnx.load(network), read_card(network)), file)
    return file


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("end_to_end")
    detector, pose = (MODELS / f"{name}.onnx" for name in (DEFAULT_DETECTOR, DEFAULT_POSE))
    return Files(wrap(detector, folder), wrap(pose, folder), detector, pose)


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the Node example, the tests' scripts, and what they import."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("examples") / "node"
    shutil.copytree(EXAMPLES / "web", folder.with_name("web"))
    folder.mkdir()
    for file in (*(EXAMPLES / "node").glob("*.*"), *SCRIPTS.glob("*.mjs")):
        shutil.copy(file, folder)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--no-package-lock", "--ignore-scripts"]
    done = subprocess.run([*npm, PLAYWRIGHT], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install onnxruntime-web here: {done.stderr.strip().splitlines()[-1]}")
    return folder


@cache
def open_session(model: Path | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(model: Path | bytes, image_bgr: Image | None = None, **feeds: NDArray[Any]) -> Arrays:
    """Run a file as a stranger would: with onnxruntime alone, on RGB."""
    session = open_session(model)
    if image_bgr is not None:
        feeds["image"] = np.ascontiguousarray(image_bgr[:, :, ::-1])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def part(build: Callable[..., Value], card: ModelCard, *inputs: TensorInfo) -> bytes:
    """Return a model of one step alone: `build(*values, card)` as the output `result`."""
    graph = Graph([], {}, list(inputs), [])
    dtypes = [onnx.helper.tensor_dtype_to_np_dtype(item.dtype) for item in inputs]
    result = build(*(Value(graph, item.name, kind) for item, kind in zip(inputs, dtypes, strict=True)), card)
    result.rename("result")
    kind = onnx.helper.np_dtype_to_tensor_dtype(result.dtype)
    graph.outputs = [TensorInfo("result", kind, graph_shape(graph, result))]
    return bytes(graph.to_model().SerializeToString())


def graph_shape(graph: Graph, value: Value) -> tuple[int | str, ...]:
    """Return what is known of a tensor's shape."""
    return graph.shapes().get(value.name, ())
