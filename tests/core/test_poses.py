"""The result records."""

from dataclasses import replace

import numpy as np
import pytest

from pose_onnx import Detections, InputError, Poses


def three_people() -> Poses:
    scores = np.array([[0.9, 0.5], [0.9, 0.1], [0.2, 0.1]], np.float32)
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    keypoints = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    return Poses(keypoints, scores, boxes, np.array([1, 0.5, 0.8], np.float32), ("nose", "tail"))


def test_scores_of_people() -> None:
    poses = three_people()
    np.testing.assert_array_equal(poses.visible(), [[True, True], [True, False], [False, False]])
    np.testing.assert_allclose(poses.mean_scores(), [0.7, 0.5, 0.15], rtol=1e-6)
    np.testing.assert_allclose(poses.instance_scores(), [0.7, 0.45, 0], rtol=1e-6)
    np.testing.assert_allclose(poses.instance_scores(0.05), [0.7, 0.25, 0.12], rtol=1e-6)


def test_people_can_be_selected() -> None:
    poses = three_people()
    assert [len(person) for person in poses] == [1, 1, 1]
    chosen = poses[poses.box_scores > 0.6]
    np.testing.assert_array_equal(chosen.boxes, poses.boxes[[0, 2]])
    np.testing.assert_array_equal(poses[1:].scores, poses.scores[1:])


def test_ids_go_with_their_people() -> None:
    poses = three_people()
    assert poses.ids is None
    assert poses[:2].ids is None
    followed = replace(poses, ids=np.array([7, 3, 9]))
    assert [person.ids for person in followed] == [7, 3, 9]
    chosen = followed[np.array([2, 0])].ids
    np.testing.assert_array_equal(chosen, [9, 7])
    with pytest.raises(InputError, match="ids"):
        replace(poses, ids=np.array([1, 2]))


def test_shapes_that_disagree_are_refused() -> None:
    poses = three_people()
    with pytest.raises(InputError, match="scores"):
        Poses(poses.keypoints, poses.scores[:2], poses.boxes, poses.box_scores, poses.names)
    with pytest.raises(InputError, match="labels"):
        Detections(poses.boxes, poses.box_scores, np.zeros(2, np.int64))
