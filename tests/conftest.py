"""What several folders of tests share: small real models, the official ones, and the reference material."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from pose_onnx import BoxOutput, HeatmapOutput, InputSpec, ModelCard, PoseEstimator, load_card
from pose_onnx.exporters.passes import SIMPLIFY, rewrite
from pose_onnx.exporters.targets import REFERENCE, candidates
from pose_onnx.exporters.targets.material import Material
from pose_onnx.exporters.templates import find_template
from pose_onnx.exporters.trim import trim

# The same examples in every run of continuous integration; new ones on a developer's machine.
settings.register_profile("ci", derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

SHARED = Path(__file__).resolve().parents[2] / "shared"
OFFICIAL = (
    "tinypose_128x96",
    "tinypose_256x192",
    "picodet_s_192_lcnet_pedestrian",
    "picodet_s_320_lcnet_pedestrian",
)


def unproved(skipped: Iterable[Any]) -> str:
    """Say in one line what the skipped tests would have needed, and how many need each; empty if none was."""
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    return "; ".join(f"{reason} ({count} tests)" for reason, count in reasons.items())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if line := unproved(terminalreporter.getreports("skipped")):
        terminalreporter.write_line(f"Not proved here: {line}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of official weights, golden outputs and photos, or skip."""
    if not SHARED.is_dir():
        pytest.skip("the official weights and photos (../shared) are not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def official_models(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the four official models, exported in every format.

    POSE_ONNX_TEST_MODELS names a folder of an earlier export, to save the two minutes while developing.
    """
    if ready := os.environ.get("POSE_ONNX_TEST_MODELS"):
        return Path(ready)
    from pose_onnx.exporters import export  # noqa: PLC0415 (needs the export extra, the other tests do not)

    folder = tmp_path_factory.mktemp("official")
    for name in OFFICIAL:
        source = shared / "weights" / f"{name}.npz"
        export(source, model=name, to=("onnx", "tflite"), precision=("fp32", "fp16"), out=folder)
    return folder


@pytest.fixture(scope="session")
def tiny_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real detector of one convolution: a cell whose pixels are white is a person of 16 pixels."""
    card = ModelCard(
        "tiny_detector", "none", InputSpec((64, 64), "stretch", mean=(0, 0, 0), std=(1, 1, 1)),
        BoxOutput(nms_iou=0.6), classes=("person",), source="made by the tests",
        published="-", license="Apache-2.0",
    )  # fmt: skip
    rows, columns = np.divmod(np.arange(64), 8)
    centers = np.stack([columns, rows], axis=1) * 8.0 + 4
    boxes = np.concatenate([centers - 8, centers + 8], axis=1).astype(np.float32)[None]
    constants = {
        "mean": np.full((1, 3, 8, 8), 1 / 192, np.float32),
        "flat": np.array([0, 64, 1]),
        "four": np.zeros((1, 1, 4), np.float32),
        "grid": boxes,
    }
    nodes = [
        helper.make_node("Conv", ["image", "mean"], ["cells"], strides=[8, 8]),
        helper.make_node("Reshape", ["cells", "flat"], ["scores"]),
        helper.make_node("Mul", ["scores", "four"], ["nothing"]),
        helper.make_node("Add", ["nothing", "grid"], ["boxes"]),
    ]
    outputs: dict[str, list[int | str]] = {"boxes": ["N", 64, 4], "scores": ["N", 64, 1]}
    return save_model(tmp_path_factory.mktemp("tiny") / "detector.onnx", card, nodes, constants, outputs)


@pytest.fixture(scope="session")
def tiny_pose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real keypoint model of one convolution: 17 seeded filters with a stride of 4."""
    base = load_card("tinypose_128x96")
    card = ModelCard(
        "tiny_pose", "none", InputSpec((64, 48), "affine_crop"), HeatmapOutput(), keypoints=base.keypoints,
        flip_pairs=base.flip_pairs, skeleton=base.skeleton, source="made by the tests",
        published="-", license="Apache-2.0",
    )  # fmt: skip
    filters = np.random.default_rng(0).standard_normal((17, 3, 4, 4)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["image", "filters"], ["heatmaps"], strides=[4, 4])]
    outputs: dict[str, list[int | str]] = {"heatmaps": ["N", 17, 16, 12]}
    return save_model(
        tmp_path_factory.mktemp("tiny") / "pose.onnx", card, nodes, {"filters": filters}, outputs
    )


@pytest.fixture
def dataset(tmp_path: Path, tiny_detector: Path, tiny_pose: Path) -> Path:
    """Write pictures with white squares whose annotations are what the small models answer: AP 100."""
    rng = np.random.default_rng(0)
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    estimator = PoseEstimator(tiny_detector, tiny_pose, threads=1)
    for index in range(4):
        image = rng.integers(0, 90, (128, 128, 3), np.uint8)
        image[16:32, 16 + 16 * index : 32 + 16 * index] = 255
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        content["images"].append({"id": index, "file_name": f"{index}.png", "height": 128, "width": 128})
        for pose in estimator(image):
            x1, y1, x2, y2 = pose.boxes[0].tolist()
            points = np.concatenate([pose.keypoints[0], np.full((17, 1), 2)], axis=1)
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1, "image_id": index, "category_id": 1, "iscrowd": 0,
                    "bbox": [x1, y1, x2 - x1, y2 - y1], "area": 60.0 * 60, "num_keypoints": 17,
                    "keypoints": points.ravel().tolist(),
                }
            )  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(content))
    return tmp_path


def save_model(
    path: Path,
    card: ModelCard,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    outputs: dict[str, list[int | str]],
) -> Path:
    """Write a network with its card and return its path."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, *card.picture.size])
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()
    ]
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, card.name, [image], results, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.metadata_props.add(key="pose_onnx.card", value=card.to_json())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def write_stand_in(name: str, folder: Path) -> Path:
    """Write the ONNX file of an official model with random weights into a folder."""
    card = load_card(name)
    template = find_template(card)
    assert template is not None
    rng = np.random.default_rng(0)
    weights = {
        key: rng.uniform(0.5, 1.5, shape).astype(np.float32) * (1 if len(shape) < 2 else 0.01)
        for key, shape in template.shapes(card).items()
    }
    graph = rewrite(trim(template.fill(weights), card), SIMPLIFY)
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(next(candidates(REFERENCE, Material(graph, card))).content)
    return folder / f"{name}.onnx"
