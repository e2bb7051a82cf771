"""The result records."""

import json
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


def test_people_can_be_told_by_number() -> None:
    poses = three_people()
    for index in (0, 2, -1, -3, np.int64(1)):
        np.testing.assert_array_equal(poses[index].boxes, poses.boxes[[index]])
    for index in (3, -4):
        with pytest.raises(IndexError, match="there are only 3 items"):
            poses[index]
    with pytest.raises(TypeError):
        poses["nose"]  # type: ignore[index]  # that is the test
    np.testing.assert_array_equal(poses[[2, 0]].boxes, poses.boxes[[2, 0]])
    np.testing.assert_array_equal(poses[[True, False, True]].boxes, poses.boxes[[0, 2]])
    assert len(poses[[]]) == len(poses[np.zeros(3, bool)]) == 0
    assert [person.boxes[0, 0] for person in reversed(poses)] == [8, 4, 0]


def test_boxes_can_be_selected_as_people_can() -> None:
    poses = three_people()
    found = Detections(poses.boxes, poses.box_scores, np.array([0, 1, 0]), ("cat", "dog"))
    assert [len(box) for box in found] == [1, 1, 1]
    assert found[-1].labels.tolist() == [0]
    assert found[found.labels == 0].scores.tolist() == found[[0, 2]].scores.tolist()
    assert found[1:].classes == ("cat", "dog")
    with pytest.raises(IndexError):
        found[3]


def test_a_skeleton_goes_with_its_people() -> None:
    poses = replace(three_people(), skeleton=((0, 1),), flip_pairs=((0, 1),), sigmas=(0.1, 0.2))
    assert all(person.skeleton == ((0, 1),) and person.sigmas == (0.1, 0.2) for person in poses)
    with pytest.raises(InputError, match="1 sigmas were given; give one for each of 2"):
        replace(poses, sigmas=(0.1,))


def test_people_as_dictionaries_for_json() -> None:
    poses = replace(three_people(), ids=np.array([7, 3, 9]))
    poses.keypoints[0, 0, 0] = np.nan
    data = json.loads(json.dumps(poses.to_dict(), allow_nan=False))
    assert data["keypoint_names"] == ["nose", "tail"]
    assert data["people"][0]["keypoints"][0][0] is None
    assert data["people"][2]["box"] == [8, 9, 10, 11]
    again = Poses.from_dict(data)
    np.testing.assert_array_equal(again.keypoints, poses.keypoints)
    np.testing.assert_array_equal(again.ids, poses.ids)
    found = Detections(poses.boxes, poses.box_scores, np.array([0, 1, 0]), ("cat", "dog"))
    assert found.to_dict()["boxes"][1] == {"box": [4, 5, 6, 7], "score": 0.5, "label": 1, "class": "dog"}


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
