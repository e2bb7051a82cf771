"""What a run measures on the way is what the package measures of the exported files in the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pose_onnx import Detector, KeypointModel, load_card, load_image, resolve_model
from pose_onnx.evaluation import BOX_FLOOR
from training.evaluate import Benchmark
from training.export import CHECKPOINTS
from training.picodet import PicoDet
from training.predict import find_people, find_poses, folded, to_input
from training.tinypose import TinyPose
from training.weights import load_npz

PHOTO = Path(__file__).parents[2] / "models" / "photos" / "astronaut.jpg"
POSE, DETECTOR = "tinypose_128x96_distilled", "picodet_s_192_lcnet_pedestrian_distilled"
SURE = 0.2
# The same weights: the checkpoints' kernels are float16 numbers, as the files' are (training/predict.py).
POINT_BAR, BOX_BAR, SCORE_BAR = 0.01, 0.01, 1e-4


def network_of(name: str, make: type) -> torch.nn.Module:
    network = make()
    load_npz(network, CHECKPOINTS / f"{name}.npz")
    return folded(network)


def test_poses_are_those_of_the_exported_file() -> None:
    boxes = np.array([[0, 4, 380, 512], [100, 20, 300, 300]], np.float32)
    found = find_poses(network_of(POSE, TinyPose), load_image(PHOTO), boxes, load_card(POSE))
    with KeypointModel(resolve_model(POSE), threads=1) as model:
        wanted = model(PHOTO, boxes)
    sure = wanted.scores >= SURE
    assert sure.any()
    np.testing.assert_allclose(found.keypoints[sure], wanted.keypoints[sure], atol=POINT_BAR)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=SCORE_BAR)


def test_people_are_those_of_the_exported_file() -> None:
    with Detector(resolve_model(DETECTOR), threads=1) as model:
        wanted, threshold = model(PHOTO), model.threshold
    found = find_people(network_of(DETECTOR, PicoDet), load_image(PHOTO), load_card(DETECTOR), threshold)
    assert len(found) == len(wanted) > 0
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=BOX_BAR)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=SCORE_BAR)


def test_a_batch_is_normalised_as_the_core_does() -> None:
    card = load_card(POSE)
    image = load_image(PHOTO)[:128, :96]
    wanted = np.empty((3, 128, 96), np.float32)
    card.picture.normalize(image, out=wanted)
    batch = np.ascontiguousarray(image[None, ..., ::-1])
    np.testing.assert_allclose(to_input(batch, card)[0].numpy(), wanted, atol=1e-6)  # float32, of up to 2.6


@pytest.mark.parametrize(
    ("name", "make", "measure"), [(POSE, TinyPose, "keypoint_ap"), (DETECTOR, PicoDet, "person_map")]
)
def test_measures_on_annotated_photos(shared: Path, name: str, make: type, measure: str) -> None:
    """A few photos: that the figure is that of `pose-onnx eval` follows from the tests above."""
    pytest.importorskip("pycocotools", reason="COCO's figures need the eval extra")
    benchmark = Benchmark(shared / "coco_dev", load_card(name), limit=6)
    assert 10 < getattr(benchmark, measure)(network_of(name, make)) <= 100
    assert BOX_FLOOR < SURE
