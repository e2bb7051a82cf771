"""Smoothing: what it takes away, what it costs, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.smoothing import IMAGE_SIZE, jitter_gain, lag_frames
from pose_onnx import InputError, Poses
from pose_onnx.video import OneEuro, PaddleFilter, Smoother
from pose_onnx.video.tracking.one_euro import FilterState, low_pass, one_euro_step

NAMES = ("nose", "tail")


def people(places: dict[int, tuple[float, float]], score: float = 0.9) -> Poses:
    """Return people of one place each, by id."""
    points = np.repeat(np.array(list(places.values()), np.float32)[:, None], 2, axis=1)
    boxes = np.concatenate([points[:, 0] - 50, points[:, 0] + 50], axis=1)
    scores = np.full(points.shape[:2], score, np.float32)
    return Poses(points, scores, boxes, np.ones(len(points), np.float32), NAMES, np.array(list(places)))


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_a_still_person_is_steadier_and_a_walking_one_not_late(fps: int) -> None:
    gain, lag = jitter_gain(OneEuro(), fps), lag_frames(OneEuro(), fps)
    assert gain >= 3
    assert lag <= 2


def test_these_bars_can_be_missed() -> None:
    assert jitter_gain(OneEuro(min_cutoff=1, beta=8, rest_speed=0), 30) < 3
    assert lag_frames(OneEuro(beta=0.5), 60) > 2


def test_a_step_by_hand() -> None:
    # Cutoff 0.5 Hz + 2 Hz s * 1 size / s * (1 / (1 + 1)) = 1.5 Hz.
    settings = OneEuro(min_cutoff=0.5, beta=2, d_cutoff=1e9, rest_speed=1)
    start = FilterState(0.0, np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2)))
    after = one_euro_step(settings, start, np.array([[10.0, 0.0]]), np.ones(1), time=0.1, size=100)
    np.testing.assert_allclose(after.speed, [[100, 0]], rtol=1e-6)
    np.testing.assert_allclose(after.smooth, [[10 / (1 + 1 / (2 * np.pi * 1.5 * 0.1)), 0]], rtol=1e-6)


def test_the_same_time_smooths_alike_in_one_step_and_in_many() -> None:
    many = 1 - (1 - low_pass(0.1, 0.01)) ** 10
    np.testing.assert_allclose(low_pass(0.1, 0.1), many, rtol=0.05)


def test_an_unsure_joint_follows_slower() -> None:
    moved = []
    for score in (0.9, 0.2, 0.0):
        smoothing = OneEuro().start()
        smoothing(people({1: (100, 100)}), 0.0, IMAGE_SIZE)
        moved.append(smoothing(people({1: (140, 100)}, score), 0.1, IMAGE_SIZE).keypoints[0, 0, 0] - 100)
    assert moved[0] > moved[1] > moved[2] == 0


def test_people_are_smoothed_apart_and_begin_anew_when_lost() -> None:
    smoothing = OneEuro().start()
    smoothing(people({1: (100, 100), 2: (300, 100)}), 0.0, IMAGE_SIZE)
    both = smoothing(people({2: (300, 100), 1: (110, 100)}), 0.1, IMAGE_SIZE).keypoints[:, 0, 0]
    assert both[0] == 300
    assert 100 < both[1] < 110
    smoothing(people({2: (300, 100)}), 0.2, IMAGE_SIZE)
    back = smoothing(people({1: (500, 100), 2: (300, 100)}), 0.3, IMAGE_SIZE)
    assert back.keypoints[0, 0, 0] == 500
    assert len(smoothing(people({1: (0, 0)})[:0], 0.4, IMAGE_SIZE)) == 0


def test_far_and_near_people_are_smoothed_alike() -> None:
    near, far = OneEuro().start(), OneEuro().start()
    results = []
    for smoothing, scale in ((near, 1.0), (far, 0.1)):
        for index, x in enumerate((0, 10, 25, 30)):
            poses = people({1: (x * scale, 0.0)})
            poses = replace(poses, boxes=np.array([[0, 0, 100 * scale, 100 * scale]], np.float32))
            smooth = smoothing(poses, index / 30, IMAGE_SIZE)
        results.append(smooth.keypoints[0, 0, 0] / scale)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)


@pytest.mark.parametrize("smooth", [OneEuro(), PaddleFilter()])
def test_nothing_is_written_to_and_scores_stay(smooth: Smoother) -> None:
    smoothing = smooth.start()
    for index in range(3):
        poses = people({1: (100 + 9.0 * index, 100)})
        for array in (poses.keypoints, poses.scores, poses.boxes):
            array.flags.writeable = False
        result = smoothing(poses, float(index), IMAGE_SIZE)
        assert result.scores is poses.scores
        assert result.keypoints.dtype == np.float32


def test_the_references_filter() -> None:
    smoothing = PaddleFilter().start()
    smoothing(people({1: (100, 100)}), 0.0, IMAGE_SIZE)
    stays = smoothing(people({1: (101, 100)}), 0.1, IMAGE_SIZE)  # below 0.0015 of 1280 pixels
    assert stays.keypoints[0, 0, 0] == 100
    late = smoothing(people({1: (200, 100)}), 0.2, IMAGE_SIZE)
    # Speed 100 * a(0.1), a(f) = 2 pi f / (2 pi f + 1); cutoff 0.1 + 0.05 * speed.
    turns = 2 * np.pi * 0.1
    cutoff = 0.1 + 0.05 * 100 * turns / (turns + 1)
    expected = 100 + 100 * (2 * np.pi * cutoff) / (2 * np.pi * cutoff + 1)
    np.testing.assert_allclose(late.keypoints[0, 0, 0], expected, rtol=1e-6)
    two = people({1: (0, 0), 2: (9, 9)})
    assert smoothing(two, 0.3, IMAGE_SIZE) is two


def test_settings_that_cannot_be_used() -> None:
    for wrong in ({"min_cutoff": 0.0}, {"beta": -1.0}, {"d_cutoff": float("nan")}, {"rest_speed": -1.0}):
        with pytest.raises(InputError, match="above 0 Hz"):
            OneEuro(**wrong)
    with pytest.raises(InputError, match="no ids"):
        OneEuro().start()(replace(people({1: (0, 0)}), ids=None), 0.0, IMAGE_SIZE)
