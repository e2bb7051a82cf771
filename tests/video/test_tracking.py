"""Who is who: boxes that follow, assignment, ids through a crossing and behind a pillar."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.video_ids import are_kept
from benchmarks.video_scene import Scene, behind_a_pillar, crossing, demo_people, ids_of
from pose_onnx import PoseEstimator
from pose_onnx.core.boxes import box_iou
from pose_onnx.video import VideoPoseEstimator
from pose_onnx.video.tracking.assign import assign
from pose_onnx.video.tracking.look import alike, looks_of
from pose_onnx.video.tracking.motion import MOST_SCALING, carry_box, coasting, follow, include, median

FPS = 10.0


@pytest.fixture(scope="module")
def video() -> Iterator[VideoPoseEstimator]:
    with PoseEstimator(threads=1) as estimator:
        yield VideoPoseEstimator(estimator, smooth=None)


def ids(video: VideoPoseEstimator, scene: Scene) -> NDArray[np.int64]:
    """Return (F, N): the id of each true person in each frame, 0 for none."""
    frames = video.run(scene.frames())
    found = [ids_of(scene, frame.index, frame.poses) for frame in frames]
    return np.array(found)


def test_people_who_cross_keep_their_ids(video: VideoPoseEstimator) -> None:
    assert are_kept(ids(video, crossing(demo_people(), 0, frames=100, fps=FPS)))


def test_somebody_behind_a_pillar_comes_back(video: VideoPoseEstimator) -> None:
    scene = behind_a_pillar(demo_people(), 0, frames=40, fps=FPS)
    found = ids(video, scene)
    assert are_kept(found)
    assert (found[:, 0] == 0).any(), "the walker was hidden"
    np.testing.assert_array_equal(ids(video, scene), found)  # the same every time


def test_the_measure_sees_a_swap() -> None:
    kept = np.array([[1, 2]] * 8)
    assert are_kept(kept)
    swapped = kept.copy()
    swapped[4:] = swapped[4:, ::-1]
    assert not are_kept(swapped)
    renamed = kept.copy()
    renamed[5:, 0] = 3
    assert not are_kept(renamed)


def test_assignment_is_the_best_of_all() -> None:
    similarity = np.array([[0.9, 0.8], [0.8, 0.1]])
    assert assign(similarity, 0.2) == [(0, 1), (1, 0)]  # 1.6, the greedy choice has 1.0
    assert assign(similarity, 0.85) == [(0, 0)]
    assert assign(np.array([[0.4]]), 0.5) == []
    assert assign(np.zeros((0, 3)), 0.5) == []


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 20, 20]], np.float64)
    expected = np.array([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(box_iou(boxes, boxes), expected)


sides = st.floats(-300, 300)


@given(st.integers(3, 17), sides, sides, st.floats(0.85, 1.2), st.integers(0, 2**32 - 1))
def test_a_box_goes_with_its_joints(count: int, dx: float, dy: float, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 200, (count, 2))
    box = np.concatenate([points.min(axis=0) - 20, points.max(axis=0) + 20])
    factor = scale if count >= 5 else 1.0
    moved = carry_box(box, points, points * factor + [dx, dy], np.ones(count, np.bool_))
    np.testing.assert_allclose(moved, box * factor + [dx, dy, dx, dy], atol=1e-6)


def test_a_box_is_not_fooled_by_a_few_wrong_joints() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 200, (17, 2))
    box = np.array([-20.0, -20, 220, 220])
    now = points + np.array([30, 0])
    now[:3] += 400
    moved = carry_box(box, points, now, np.ones(17, np.bool_))
    size, before = moved[2] - moved[0], box[2] - box[0]
    assert before / MOST_SCALING <= size <= before * MOST_SCALING
    few = np.arange(17) < 2
    np.testing.assert_array_equal(carry_box(box, points, now, few), box)


def test_a_box_holds_its_sure_joints() -> None:
    box = np.array([0.0, 0, 100, 200])
    larger = include(box, np.array([[50.0, 300], [-10, 100]]))
    np.testing.assert_allclose(larger, [-10, 0, 100, 300])
    np.testing.assert_array_equal(include(box, np.zeros((0, 2))), box)


@given(st.floats(0.01, 5), st.integers(1, 20))
def test_forgetting_depends_on_time_alone(passed: float, steps: int) -> None:
    value: NDArray[np.float64] | float = 1.0
    for _ in range(steps):
        value = follow(value, 3.0, passed / steps, 0.7)
    np.testing.assert_allclose(value, follow(1.0, 3.0, passed, 0.7), rtol=1e-9)


def test_coasting_dies_away() -> None:
    assert coasting(0) == 0
    np.testing.assert_allclose(coasting(0.01), 0.01, rtol=0.01)
    assert coasting(100) <= 1


def test_the_median_of_joints() -> None:
    assert median(np.array([[3.0, 1], [1, 9], [2, 5]])).tolist() == [2, 5]


def test_looks_tell_colours_apart() -> None:
    image = np.zeros((100, 120, 3), np.uint8)
    image[:, :40], image[:, 40:80], image[:, 80:] = (200, 30, 30), (30, 30, 200), (205, 35, 28)
    boxes = np.array([[0, 0, 40, 100], [40, 0, 80, 100], [80, 0, 120, 100], [500, 500, 600, 600]], np.float32)
    looks = looks_of(image, boxes)
    np.testing.assert_allclose(looks.sum(axis=1), [1, 1, 1, 0])
    same = alike(looks, looks)
    assert same[0, 2] > 0.9
    assert same[0, 1] < 0.6
    np.testing.assert_allclose(np.diag(same)[:3], 1)
