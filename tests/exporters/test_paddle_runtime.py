"""Paddle Inference as a backend, on folders as Paddle saves them; the contract suite has the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import InputError, KeypointModel, MissingCardError, ModelFileError, load_card
from pose_onnx.exporters import export
from pose_onnx.exporters.verify import compare, demand, make_inputs, run_file, run_with_rounding
from pose_onnx.runtimes import TensorSpec, open_runtime

POSE, DETECTOR = "tinypose_128x96", "picodet_s_192_lcnet_pedestrian"
HEATMAPS = (TensorSpec("heatmaps", (None, 17, 32, 24)),)  # and no argmax
LISTS = (TensorSpec("boxes", (None, 765, 4)), TensorSpec("scores", (None, 765, 1)))


@pytest.mark.parametrize(
    ("folder", "name", "outputs"),
    [
        ("pose_json", POSE, HEATMAPS),
        ("pose_pdmodel", POSE, HEATMAPS),
        ("detector/no_nms", DETECTOR, LISTS),  # whose scores are (N, C, A)
    ],
)
def test_tensors_are_named_as_in_the_exports(
    paddle_sources: Path, folder: str, name: str, outputs: tuple[TensorSpec, ...]
) -> None:
    runtime = open_runtime(paddle_sources / folder, "paddle", threads=1)
    assert runtime.inputs == (TensorSpec("image", (None, 3, *load_card(name).picture.size)),)
    assert runtime.outputs == outputs


@pytest.fixture(scope="module")
def exported(paddle_sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    for name in (POSE, DETECTOR):
        export(paddle_sources / f"{name}.npz", to=("onnx",), out=folder)
    return folder


@pytest.mark.parametrize(
    ("folder", "name"), [("pose_json", POSE), ("pose_pdmodel", POSE), ("detector/no_nms", DETECTOR)]
)
def test_the_numbers_are_those_of_the_exports(
    paddle_sources: Path, exported: Path, folder: str, name: str
) -> None:
    """With oneDNN, which Paddle 3.2 uses by default, the heatmaps of pose_json are off by 0.25."""
    inputs = make_inputs(load_card(name))
    card = load_card(name)
    expected, rounding = run_with_rounding(exported / f"{name}.onnx", inputs, card)
    found = run_file(paddle_sources / folder, inputs)
    demand(compare("paddle vs ort", expected, found, card=card, precision="fp32", rounding=rounding))


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("detector/nms", r"gives \[\(None, 6\), .* before NMS; export this one"),
        ("detector/raw", "gives .* before NMS; export this one"),
        ("pose_json_3_3", "cannot be loaded by Paddle .* this version of Paddle .* or export it"),
        ("detector", "contains 0 Paddle programs"),
    ],
)
def test_folders_that_cannot_be_run_say_why(paddle_sources: Path, folder: str, reason: str) -> None:
    with pytest.raises(ModelFileError, match=reason):
        open_runtime(paddle_sources / folder, "paddle")


def test_weights_that_are_missing_are_named(paddle_sources: Path, tmp_path: Path) -> None:
    shutil.copy(paddle_sources / "pose_json" / "model.json", tmp_path)
    with pytest.raises(ModelFileError, match=r"'model\.json' but not its weights 'model\.pdiparams'"):
        open_runtime(tmp_path, "paddle")


def test_onednn_is_refused_with_the_reason(paddle_sources: Path) -> None:
    with pytest.raises(InputError, match=r"onednn=True.*computes TinyPose incorrectly.*0\.03"):
        open_runtime(paddle_sources / "pose_json", "paddle", onednn=True)


def test_a_folder_needs_a_card(paddle_sources: Path) -> None:
    folder = paddle_sources / "pose_json"
    with pytest.raises(MissingCardError, match="card="):
        KeypointModel(folder, backend="paddle")
    image = np.random.default_rng(0).integers(0, 255, (200, 150, 3), np.uint8)
    poses = KeypointModel(folder, card=POSE, backend="paddle")(
        image, np.array([[10, 10, 140, 190]], np.float32)
    )
    assert poses.keypoints.shape == (1, 17, 2)
