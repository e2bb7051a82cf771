"""A one-pass network goes through export and verification; both formats find the same people."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import InputSpec, ModelCard, PoseEstimator, load_card, load_image
from pose_onnx.exporters import export
from pose_onnx.exporters.paddle_to_onnx import random_parameters
from pose_onnx.exporters.pipeline import ExportResult
from pose_onnx.exporters.verify import make_inputs
from pose_onnx.outputs import PeopleOutput
from pose_onnx.outputs.people_heads import ALL
from pose_onnx.runtimes import backend_for
from pose_onnx.verification import verify

PHOTO = Path(__file__).parents[2] / "models" / "photos" / "astronaut.jpg"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelCard, Path]:
    """Random weights of the smallest network, with the names that PyTorch gives them."""
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    base = load_card("tinypose_128x96")
    card = ModelCard(
        "people", "multi_pose_res18", InputSpec((64, 64), "fix", "bgr"), PeopleOutput(),
        keypoints=base.keypoints, flip_pairs=base.flip_pairs,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("people")
    weights = random_parameters(card, make_inputs(card), folder)
    names = {
        name: name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
        for name in weights
    }
    counted = {
        names[name].replace("running_mean", "num_batches_tracked"): np.zeros((), np.float32)
        for name in weights
        if name.endswith("._mean")
    }
    np.savez(folder / "weights.npz", **{names[name]: weights[name] for name in weights}, **counted)  # type: ignore[arg-type]  # keywords are arrays here
    return card, folder / "weights.npz"


def test_both_formats_find_the_same_people(checkpoint: tuple[ModelCard, Path], tmp_path: Path) -> None:
    card, weights = checkpoint
    done = export(weights, card=card, out=tmp_path, precision=("fp32", "fp16"))
    check_halves(done)
    files = [tmp_path / "people.onnx", tmp_path / "people.tflite"]
    pixels, found = load_image(PHOTO), []
    for file in files:
        with PoseEstimator(pose=file, backend=backend_for(file), threshold=0, threads=1) as model:
            found.append(model(pixels))
    assert len(found[0]) == len(found[1]) > 0
    np.testing.assert_allclose(found[0].box_scores, found[1].box_scores, atol=1e-5)
    differences = list(verify(files, PHOTO))
    assert {each.stage for each in differences} >= {"decode", "end to end"}
    assert max(each.largest for each in differences if each.stage != "end to end") <= 1e-4
    assert all(math.isfinite(each.largest) for each in differences)


def check_halves(done: ExportResult) -> None:
    """The files in float16 have half the size, and their heads are other ones, within the bars."""
    size = {file.name: file.stat().st_size for file in done.files}
    for suffix in ("onnx", "tflite"):
        assert size[f"people_fp16.{suffix}"] < 0.51 * size[f"people.{suffix}"]
    halved = [each for each in done.measured if "fp16" in each.stage]
    assert {each.output for each in halved} == set(ALL)
    assert all(0 < each.error <= (each.bar or 0) for each in halved)


def test_an_end_to_end_file_finds_them_too(checkpoint: tuple[ModelCard, Path], tmp_path: Path) -> None:
    card, weights = checkpoint
    done = export(weights, card=card, to=("onnx",), out=tmp_path, end_to_end=True)
    assert [file.name for file in done.files] == ["people.onnx", "people_end_to_end.onnx"]
    compared = [each.output for each in done.measured if each.stage == "end_to_end vs the core"]
    assert compared == ["boxes", "scores", "keypoints", "keypoint_scores"]
