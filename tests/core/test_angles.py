"""Angles at joints: by hand, and what must leave them as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pose_onnx import COCO_ANGLES, InputError, Poses, joint_angles, load_card
from pose_onnx.core.arrays import F64

NAMES = ("a", "b", "c")
TRIPLE = {"b": NAMES}
# Whole pixels: either two joints are in one place, or they are so far apart that float32 does not matter.
POINTS = arrays.arrays(np.int64, (3, 2), elements=st.integers(-200, 200)).map(lambda a: a.astype(np.float64))
DEGREES = 0.02
"""Half a float32 step at 2000 pixels is 6e-5: over a limb of one pixel it turns the limb by 0.007 degrees."""


def person(points: F64, scores: tuple[float, float, float] = (1, 1, 1)) -> Poses:
    boxes, ones = np.zeros((1, 4), np.float32), np.ones(1, np.float32)
    return Poses(points[None].astype(np.float32), np.array([scores], np.float32), boxes, ones, NAMES)


def angle(points: F64) -> float:
    return float(joint_angles(person(points), TRIPLE)[0, 0])


@pytest.mark.parametrize(
    ("end", "degrees"),
    [((10, 0), 0), ((10, 10), 45), ((0, -3), 90), ((0, 3), 90), ((-10, 10), 135), ((-1, 0), 180)],
)
def test_by_hand(end: tuple[float, float], degrees: float) -> None:
    points = np.array([(7, 4), (2, 4), (2 + end[0], 4 + end[1])], np.float64)
    assert angle(points) == pytest.approx(degrees, abs=1e-5)


@settings(deadline=None)
@given(POINTS, st.floats(0, 360), st.floats(0.1, 10), st.booleans())
def test_turning_mirroring_moving_and_scaling_change_nothing(
    points: F64, turn: float, scale: float, mirror: bool
) -> None:
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    matrix = scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1 if mirror else 1, 1])
    moved = (points - points[1]) @ matrix.T  # about the joint: float32 is finest there
    before, after = angle(points), angle(moved)
    assert np.isnan(before) == np.isnan(after)
    assert np.isnan(before) or after == pytest.approx(before, abs=DEGREES)
    assert np.isnan(before) or 0 <= before <= 180


@settings(deadline=None)
@given(POINTS)
def test_both_ends_are_alike(points: F64) -> None:
    assert angle(points) == pytest.approx(angle(points[::-1]), nan_ok=True)


@settings(deadline=None)
@given(st.lists(st.integers(1, 179), min_size=2, max_size=2))
def test_angles_of_a_triangle_are_180(corners: list[int]) -> None:
    alpha, beta = corners
    if alpha + beta >= 180:
        return
    a, b = np.array([0.0, 0.0]), np.array([500.0, 0.0])
    side = 500 * np.sin(np.radians(beta)) / np.sin(np.radians(alpha + beta))
    c = side * np.array([np.cos(np.radians(alpha)), np.sin(np.radians(alpha))])
    orders = ((b, a, c), (a, b, c), (a, c, b))
    assert sum(angle(np.array(order)) for order in orders) == pytest.approx(180, abs=DEGREES)


@pytest.mark.parametrize("unsure", range(3))
def test_a_joint_that_is_not_sure_has_no_angle(unsure: int) -> None:
    points = np.array([(0, 0), (5, 0), (5, 5)], np.float64)
    scores = [1.0, 1.0, 1.0]
    scores[unsure] = 0.2  # must be above the threshold
    poses = person(points, (scores[0], scores[1], scores[2]))
    assert np.isnan(joint_angles(poses, TRIPLE)).all()
    assert joint_angles(poses, TRIPLE, threshold=0.19).tolist() == [[90]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_place_that_is_none_has_no_angle(value: float) -> None:
    assert np.isnan(angle(np.array([(0, 0), (value, 5), (value, value)])))


def test_two_joints_in_one_place_have_no_angle() -> None:
    for points in ([(5, 5), (5, 5), (0, 0)], [(0, 0), (5, 5), (5, 5)]):
        assert np.isnan(angle(np.array(points, np.float64)))


def test_the_named_angles_are_of_cocos_joints() -> None:
    names = load_card("tinypose_128x96").keypoints
    assert {joint for triple in COCO_ANGLES.values() for joint in triple} <= set(names)
    assert all(triple[1] == name for name, triple in COCO_ANGLES.items())
    keypoints = np.random.default_rng(0).uniform(0, 100, (3, 17, 2)).astype(np.float32)
    ones = np.ones((3, 17), np.float32)
    poses = Poses(keypoints, ones, np.zeros((3, 4), np.float32), ones[:, 0], names)
    assert joint_angles(poses).shape == (3, len(COCO_ANGLES))
    assert joint_angles(poses[:0]).shape == (0, len(COCO_ANGLES))
    assert joint_angles(poses, {}).shape == (3, 0)


def test_a_keypoint_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"need the keypoints \['left_ankle', .*only \['a', 'b', 'c'\]"):
        joint_angles(person(np.zeros((3, 2))))
