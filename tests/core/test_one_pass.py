"""A model that finds all people in one pass, on a small real network."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import (
    InputError,
    InputSpec,
    KeypointModel,
    ModelCard,
    ModelFileError,
    PoseEstimator,
    PoseModel,
    TopDownModel,
    load_card,
)
from pose_onnx.detector import detector_input
from pose_onnx.files import sha256_of
from pose_onnx.one_pass import OnePassEstimator
from pose_onnx.outputs import PeopleOutput
from pose_onnx.resizing import kept_size
from tests.tiny_people import CELL, OFFSET, PEAK, PERSON, SIZE, heads_network, picture


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return heads_network(tmp_path_factory.mktemp("one_pass") / "people.onnx")


def test_a_person_is_where_the_heads_say(network: Path) -> None:
    with PoseEstimator(pose=network, threads=1) as model:
        assert isinstance(model, PoseModel)
        assert not isinstance(model, TopDownModel)
        poses = model(picture((3, 5)))
    center = np.array([5, 3]) + OFFSET
    half = np.array(SIZE) / 2
    np.testing.assert_allclose(
        poses.boxes[0], CELL * np.concatenate([center - half, center + half]), atol=1e-4
    )
    joints = np.array([5, 3]) + 0.1 * np.arange(34).reshape(17, 2)
    joints[0] = 5.5, 3.25  # the nose alone has a peak, which it goes to
    np.testing.assert_allclose(poses.keypoints[0], CELL * joints, atol=1e-4)
    np.testing.assert_allclose(poses.scores[0], [PEAK] + [PERSON] * 16, atol=1e-6)
    np.testing.assert_allclose(poses.box_scores, [PERSON], atol=1e-6)
    assert poses.names == load_card("tinypose_128x96").keypoints


def test_a_picture_of_another_size(network: Path) -> None:
    """32 x 16 pixels come to 64 x 32 of the input, in its middle."""
    with PoseEstimator(pose=network, threads=1) as model:
        wide = np.zeros((16, 32, 3), np.uint8)
        wide[6:10, 14:18] = 255
        poses = model(wide)
        expected = model(picture((7, 7), (7, 8), (8, 7), (8, 8)))
    assert len(poses) > 0
    moved = expected.boxes / 2 - np.array([0, 8, 0, 8], np.float32)
    nearest = np.abs(poses.boxes[:, None] - moved).max(axis=2).min(axis=1)
    assert nearest.max() <= 1e-4


def test_it_says_how_results_were_made(network: Path) -> None:
    with PoseEstimator(pose=network, threads=1, threshold=0.4, flip=True) as model:
        told = model.describe()
    settings = {"pose": "tiny_people", "flip": True, "threshold": 0.4, "nms": None}
    assert {name: told[name] for name in settings} == settings
    assert told["pose_sha256"] == sha256_of(network)
    assert len(told["pose_card_sha256"]) == 64


def test_nobody(network: Path) -> None:
    with PoseEstimator(pose=network, threads=1) as model:
        poses = model(picture())
    assert (len(poses), poses.keypoints.shape) == (0, (0, 17, 2))


def test_boxes_are_one_sentence(network: Path) -> None:
    with (
        PoseEstimator(pose=network, threads=1) as model,
        pytest.raises(InputError, match="finds the people itself, all at once; leave them out"),
    ):
        model(picture(), boxes=[[0, 0, 9, 9]])


def test_the_best_comes_first_and_a_threshold_cuts(network: Path) -> None:
    dim = picture((3, 5), (10, 10))
    dim[dim.sum(axis=2) > 0] = 255
    dim[40:44, 40:44] = 180
    with PoseEstimator(pose=network, threads=1) as model:
        poses = model(dim)
    assert len(poses) == 2
    assert poses.box_scores[0] > poses.box_scores[1]
    with PoseEstimator(pose=network, threads=1, threshold=0.9) as model:
        assert len(model(dim)) == 1


def test_flipped_too_and_averaged(network: Path) -> None:
    """Mirrored offsets are swapped between left and right; the nose's is turned round and so becomes 0."""
    with PoseEstimator(pose=network, threads=1, flip=True) as model:
        poses = model(picture((3, 5)))
    np.testing.assert_allclose(poses.keypoints[0, 0], CELL * np.array([5.5, 3.25]), atol=1e-4)
    eye, other = 5 + (0.2 - 0.4) / 2, 5 + (0.4 - 0.2) / 2
    np.testing.assert_allclose(poses.keypoints[0, 1:3, 0], [CELL * eye, CELL * other], atol=1e-4)


def test_soft_nms_lowers_who_is_covered(network: Path) -> None:
    two = picture((3, 5), (3, 7))
    two[12:16, 28:32] = 220
    with (
        PoseEstimator(pose=network, threads=1) as plain,
        PoseEstimator(pose=network, threads=1, nms="soft") as soft,
    ):
        before, after = plain(two), soft(two)
    assert len(before) == len(after) == 2
    assert after.box_scores[0] == before.box_scores[0]
    assert after.box_scores[1] < before.box_scores[1]
    np.testing.assert_array_equal(after.keypoints, before.keypoints)


def test_it_goes_through_a_pickle(network: Path) -> None:
    with PoseEstimator(pose=network, threads=1, threshold=0.9) as model:
        again = pickle.loads(pickle.dumps(model))
    with again:
        assert isinstance(again, OnePassEstimator)
        assert again.threshold == 0.9
        assert len(again(picture((3, 5)))) == 1


@pytest.mark.parametrize("head", ["hm", "hm_hp", "wh", "hps", "reg"])
def test_nan_is_one_sentence(tmp_path: Path, head: str) -> None:
    with (
        PoseEstimator(pose=heads_network(tmp_path / "bad.onnx", spoilt=head), threads=1) as model,
        pytest.raises(InputError, match="NaN"),
    ):
        model(picture((3, 5)))


def test_a_threshold_that_is_none(network: Path) -> None:
    with pytest.raises(InputError, match=r"threshold=1\.5"):
        PoseEstimator(pose=network, threshold=1.5)


def test_a_model_for_another_task_is_refused(network: Path, tiny_pose: Path) -> None:
    with pytest.raises(ModelFileError, match=r"'keypoints'.*'people'"):
        OnePassEstimator(pose=tiny_pose)
    with pytest.raises(ModelFileError, match=r"'people'.*'keypoints'"):
        KeypointModel(network)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"heads": ("hm", "wh")}, r"it must be \['hm', 'wh', 'hps'\]"),
        ({"heads": ("wh", "hm", "hps")}, "in this order"),
        ({"heads": ("hm", "wh", "hps", "more")}, "in this order"),
        ({"stride": 0}, "output.stride is 0"),
        ({"max_people": 0}, "output.max_people is 0"),
    ],
)
def test_a_card_that_cannot_be(changes: dict[str, object], match: str) -> None:
    card = ModelCard("any", "any", InputSpec((64, 64), "fix"), PeopleOutput(), keypoints=("nose",))
    with pytest.raises(ValueError, match=match):
        replace(card, output=PeopleOutput(**changes))  # type: ignore[arg-type]  # of several types


@pytest.mark.parametrize("name", ["dla_1x", "dla_3x", "hg_1x", "hg_3x"])
def test_the_published_test_has_a_card_that_every_picture_of_coco_fits(name: str) -> None:
    card, kept = load_card(f"multi_pose_{name}"), load_card(f"multi_pose_{name}_keep")
    size = kept_size((640, 640), 128 if name.startswith("hg") else 32)
    picture_spec = replace(card.picture, size=size, resize="keep")
    assert kept == replace(card, name=kept.name, input=picture_spec, limits=kept.limits)
    detector_input(np.zeros((640, 640, 3), np.uint8), kept.picture)


def test_a_card_travels_as_json() -> None:
    output = PeopleOutput(heads=("hm", "wh", "hps", "hm_hp"))
    card = ModelCard("any", "any", InputSpec((64, 64), "keep"), output, keypoints=("nose",))
    assert ModelCard.from_json(card.to_json()) == card
    assert card.output.shapes(card)["hps"] == (None, 2, 16, 16)
