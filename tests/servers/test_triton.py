"""`--layout triton`: the repository by Triton's own schema, and in a real Triton Inference Server."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from pose_onnx import PoseEstimator, load_card, load_image
from pose_onnx.cli import main
from pose_onnx.core.arrays import Image
from pose_onnx.exporters import lay_out
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from tests.servers.conftest import free_port, running

PYTRITON = importlib.util.find_spec("pytriton")
if PYTRITON is None or PYTRITON.origin is None:
    pytest.skip("nvidia-pytriton is not installed (tests/servers/requirements.txt)", allow_module_level=True)

http = importlib.import_module("tritonclient.http")
model_config_pb2 = importlib.import_module("tritonclient.grpc.model_config_pb2")
text_format = importlib.import_module("google.protobuf.text_format")

ROOT = Path(__file__).parents[2]
PHOTO = load_image(ROOT / "models" / "photos" / "astronaut.jpg")
NOBODY = load_image(ROOT / "models" / "photos" / "camera.jpg")[150:280, 350:]
PACKAGES = Path(PYTRITON.origin).parents[1]
TRITON = PACKAGES / "pytriton" / "tritonserver"
BAR = 1e-3
"""Image pixels: the same engine on the same file."""
BATCHED = 12
PATIENT = f"dynamic_batching {{ preferred_batch_size: {BATCHED} max_queue_delay_microseconds: 10000000 }}"
"""Waits for `BATCHED` requests. As laid out, a server batches what happens to wait."""
KINDS = {"uint8": "UINT8", "float32": "FP32"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("triton")
    (folder,) = lay_out([DEFAULT_POSE, DEFAULT_DETECTOR], ["triton"], out=out)
    return folder


@pytest.fixture(scope="module")
def client(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    served = shutil.copytree(repository, folder / "repository")
    config = served / DEFAULT_POSE / "config.pbtxt"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("dynamic_batching { }", PATIENT), encoding="utf-8")
    command: list[str | Path] = [
        TRITON / "bin" / "tritonserver",
        f"--model-repository={served}",
        f"--backend-directory={backends(folder)}",
        "--disable-auto-complete-config",  # so that the repository must say everything itself
        # One after the other: its Python processes wait for each other for so long only.
        "--model-load-thread-count=1",
        *(f"--backend-config={name},stub-timeout-seconds=300" for name in ("python", "onnxruntime")),
        "--http-address=127.0.0.1",
        f"--http-port={port}",
        "--allow-grpc=false",
        "--allow-metrics=false",
    ]
    # Its Python backend runs the first Python of PATH.
    bin_folder = Path(sys.executable).parent
    environment = {
        "LD_LIBRARY_PATH": str(PACKAGES / "nvidia_pytriton.libs"),
        "PATH": f"{bin_folder}:/usr/bin:/bin",
    }
    with running(command, f"http://127.0.0.1:{port}/v2/health/ready", folder / "log", environment):
        yield http.InferenceServerClient(f"127.0.0.1:{port}", concurrency=BATCHED)


def backends(folder: Path) -> Path:
    """Put Triton's own Python backend, for this Python, and ONNX Runtime in a folder."""
    python = Path(shutil.copytree(TRITON / "backends" / "python", folder / "backends" / "python"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copy(TRITON / "python_backend_stubs" / version / "triton_python_backend_stub", python)
    (folder / "backends" / "onnxruntime").mkdir()
    source = Path(__file__).with_name("onnxruntime_backend.py")
    shutil.copy(source, folder / "backends" / "onnxruntime" / "model.py")
    return folder / "backends"


def config_of(folder: Path) -> Any:
    """Read a configuration; an unknown field, or a value of another type, is an error."""
    text = (folder / "config.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def ask(client: Any, model: str, *outputs: str, **arrays: Any) -> dict[str, Any]:
    answer = client.infer(model, inputs_of(arrays))
    return {name: answer.as_numpy(name) for name in outputs}


def inputs_of(arrays: dict[str, Any]) -> list[Any]:
    inputs = []
    for name, array in arrays.items():
        inputs.append(http.InferInput(name, array.shape, KINDS[array.dtype.name]))
        inputs[-1].set_data_from_numpy(np.ascontiguousarray(array))
    return inputs


def find_poses(client: Any, image_bgr: Image) -> dict[str, Any]:
    outputs = ("boxes", "box_scores", "keypoints", "scores")
    return ask(client, "poses", *outputs, image=image_bgr[..., ::-1])


def test_every_configuration_follows_the_schema(repository: Path) -> None:
    folders = sorted(path.parent for path in repository.glob("*/config.pbtxt"))
    names = [DEFAULT_DETECTOR, DEFAULT_POSE, f"{DEFAULT_DETECTOR}_end_to_end", f"{DEFAULT_POSE}_end_to_end"]
    assert {folder.name for folder in folders} == {*names, "poses"}
    for folder in folders:
        config = config_of(folder)
        assert config.name == folder.name
        assert (folder / "1").is_dir()
    for name in names:
        model = onnx.load(repository / name / "1" / "model.onnx")
        config = config_of(repository / name)
        assert [tensor.name for tensor in config.input] == [tensor.name for tensor in model.graph.input]
        assert [tensor.name for tensor in config.output] == [tensor.name for tensor in model.graph.output]


def test_the_card_is_in_the_configuration_and_says_the_largest_batch(repository: Path) -> None:
    config = config_of(repository / DEFAULT_POSE)
    card = load_card(DEFAULT_POSE)
    found = type(card).from_json(config.parameters["pose_onnx.card"].string_value)
    assert found == card
    assert config.HasField("dynamic_batching")
    assert list(config.input[0].dims) == list(card.input_shape)
    assert config.max_batch_size == 64 * 256 * 192 // (128 * 96)
    assert config_of(repository / f"{DEFAULT_POSE}_end_to_end").max_batch_size == 0


def test_the_ensemble_finds_what_python_finds(client: Any) -> None:
    found = find_poses(client, PHOTO)
    with PoseEstimator() as estimator:
        expected = estimator(PHOTO)
    np.testing.assert_allclose(found["boxes"], expected.boxes, atol=0.5)  # tests/end_to_end/test_whole.py
    np.testing.assert_allclose(found["keypoints"], expected.keypoints, atol=0.05)
    np.testing.assert_allclose(found["scores"], expected.scores, atol=1e-3)


def test_a_picture_of_nobody(client: Any) -> None:
    found = find_poses(client, NOBODY)
    assert {name: array.shape for name, array in found.items()} == {
        "boxes": (0, 4),
        "box_scores": (0,),
        "keypoints": (0, 17, 2),
        "scores": (0, 17),
    }


def test_networks_are_batched_dynamically(client: Any) -> None:
    tensors = np.random.default_rng(0).standard_normal((BATCHED, 1, 3, 128, 96)).astype(np.float32)
    alone = ask(client, DEFAULT_POSE, "heatmaps", image=np.concatenate(tensors))["heatmaps"]
    sent = [client.async_infer(DEFAULT_POSE, inputs_of({"image": tensor})) for tensor in tensors]
    found = [request.get_result().as_numpy("heatmaps") for request in sent]
    np.testing.assert_allclose(np.concatenate(found), alone, atol=5e-6)
    assert statistics(client, 2 * BATCHED) == (2 * BATCHED, 2)


def statistics(client: Any, at_least: int) -> tuple[int, int]:
    """Return the numbers of inferences and of runs; the server counts a request after it has answered it."""
    for _ in range(100):
        (facts,) = client.get_inference_statistics(DEFAULT_POSE)["model_stats"]
        if int(facts["inference_count"]) >= at_least:
            break
        time.sleep(0.1)
    return int(facts["inference_count"]), int(facts["execution_count"])


def test_wrong_tensors_are_refused_by_the_configuration(client: Any) -> None:
    with pytest.raises(http.InferenceServerException, match="shape"):
        find_poses(client, np.zeros((40, 60, 4), np.uint8))
    with pytest.raises(http.InferenceServerException, match="type"):
        ask(client, "poses", "boxes", image=np.zeros((40, 60, 3), np.float32))
    assert len(find_poses(client, PHOTO)["boxes"]) == 1


def test_from_the_command_line_for_one_model(tmp_path: Path) -> None:
    assert main(["export", DEFAULT_DETECTOR, "--layout", "triton", "--out", str(tmp_path)]) == 0
    names = {path.parent.name for path in (tmp_path / "triton").glob("*/config.pbtxt")}
    assert names == {DEFAULT_DETECTOR, f"{DEFAULT_DETECTOR}_end_to_end"}
