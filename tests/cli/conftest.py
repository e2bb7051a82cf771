"""Two little models that answer at once: a detector that sees a person in every bright picture, and a
keypoint model whose peaks follow the picture. Photos are made, not stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pose_onnx import ModelCard, load_card
from pose_onnx.cards.card import CARD_KEY
from pose_onnx.cli import main
from pose_onnx.image_files import write_image

DETECTOR_SIZE = 32
POSE_SIZE = (32, 24)
JOINTS = 17


@dataclass(frozen=True)
class Models:
    """Paths of the same two models, with and without their cards."""

    detector: Path
    pose: Path
    bare_pose: Path
    detector_card: Path
    pose_card: Path

    @property
    def options(self) -> list[str]:
        return ["--detector", str(self.detector), "--pose", str(self.pose)]


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*words: object) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as leave:  # argparse does that
            code = int(leave.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def resized_card(model: str, name: str, size: tuple[int, int]) -> ModelCard:
    card = load_card(model)
    return replace(card, name=name, input=replace(card.picture, size=size))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("models")
    found = Models(
        *(folder / name for name in ("det.onnx", "pose.onnx", "bare.onnx", "det.json", "pose.json"))
    )
    detector_card = resized_card("picodet_s_192_lcnet_pedestrian", "bright", (DETECTOR_SIZE, DETECTOR_SIZE))
    pose_card = resized_card("tinypose_128x96", "blobs", POSE_SIZE)
    found.detector.write_bytes(detector_model(detector_card))
    found.pose.write_bytes(pose_model(pose_card))
    found.bare_pose.write_bytes(pose_model(None))
    found.detector_card.write_text(detector_card.to_json())
    found.pose_card.write_text(pose_card.to_json())
    return found


def detector_model(card: ModelCard | None) -> bytes:
    """One box, always the same; its score is high where the picture is bright."""
    constants = {
        "box": np.array([[[4, 2, 28, 30]]], np.float32),
        "zero": np.zeros(1, np.float32),
        "column": np.array([-1, 1, 1]),
    }
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["level"]),
        helper.make_node("Mul", ["level", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "box"], ["boxes"]),
        helper.make_node("Sigmoid", ["level"], ["scores"]),
    ]
    side = DETECTOR_SIZE
    return model(nodes, constants, (side, side), {"boxes": ("N", 1, 4), "scores": ("N", 1, 1)}, card)


def pose_model(card: ModelCard | None, *, seed: int = 0) -> bytes:
    weights = np.random.default_rng(seed).standard_normal((JOINTS, 3, 8, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["sums"], strides=[4, 4], pads=[2, 2, 2, 2]),
        helper.make_node("Sigmoid", ["sums"], ["heatmaps"]),
    ]
    height, width = POSE_SIZE
    outputs = {"heatmaps": ("N", JOINTS, height // 4, width // 4)}
    return model(nodes, {"w": weights}, POSE_SIZE, outputs, card)


def model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    size: tuple[int, int],
    outputs: Mapping[str, tuple[str | int, ...]],
    card: ModelCard | None,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "little",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, *size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if card is not None:
        helper.set_model_props(proto, {CARD_KEY: card.to_json()})
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


@pytest.fixture
def photo() -> Callable[..., Path]:
    """Make a photo: bright, so that the detector finds its person, or dark."""

    def make(path: Path, *, seed: int = 0, level: int = 160) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 80, (48, 64, 3))
        write_image(path, (noise + level).astype(np.uint8))
        return path

    return make
