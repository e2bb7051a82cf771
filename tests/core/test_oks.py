"""Object keypoint similarity against pycocotools' own formula and by hand."""

import numpy as np
import pytest

from pose_onnx import InputError, Poses
from pose_onnx.core.oks import COCO_SIGMAS, oks, suppress_duplicates


def test_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.uniform(0, 100, (3, 17, 2)), rng.uniform(0, 100, (4, 17, 2))
    areas = np.array([900.0, 2500.0, 10000.0], np.float32)
    found = oks(ours.astype(np.float32), theirs.astype(np.float32), areas)
    for (n, m), value in np.ndenumerate(found):
        distance = ((ours[n] - theirs[m]) ** 2).sum(axis=1)
        k = 2 * np.array(COCO_SIGMAS)
        assert value == pytest.approx(np.exp(-distance / (2 * areas[n] * k**2)).mean(), abs=1e-6)


def test_the_same_person_is_one_and_scales_do_not_matter() -> None:
    points = np.random.default_rng(1).uniform(0, 50, (2, 17, 2)).astype(np.float32)
    small = oks(points, points[::-1], np.full(2, 400, np.float32))
    large = oks(points * 3, points[::-1] * 3, np.full(2, 3600, np.float32))
    np.testing.assert_allclose(small, large, rtol=1e-5)
    np.testing.assert_allclose(np.diag(small[:, ::-1]), 1)


def test_of_two_alike_the_better_stays() -> None:
    points = np.random.default_rng(2).uniform(0, 50, (1, 17, 2)).astype(np.float32)
    keypoints = np.concatenate([points, points + 0.1, points + 100])
    boxes = np.tile(np.array([[0, 0, 50, 50]], np.float32), (3, 1))
    ones = np.ones((3, 17), np.float32)
    poses = Poses(keypoints, ones, boxes, ones[:, 0], tuple(map(str, range(17))))
    assert suppress_duplicates(poses, np.array([0.5, 0.9, 0.7], np.float32), 0.9).tolist() == [1, 2]
    assert suppress_duplicates(poses[:0], np.empty(0, np.float32), 0.9).tolist() == []


def test_other_keypoint_sets_need_their_sigmas() -> None:
    points = np.zeros((1, 5, 2), np.float32)
    with pytest.raises(InputError, match="5 keypoints"):
        oks(points, points, np.ones(1, np.float32))
