"""To supervision and back, and through what its users do on the way."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from pose_onnx import DependencyError, Detections, InputError, Poses
from pose_onnx.formats import from_detections, from_key_points, to_detections, to_key_points
from tests.formats.conftest import NAMES, people

sv = pytest.importorskip("supervision")


def assert_same(found: Poses, expected: Poses) -> None:
    for field in ("keypoints", "scores", "boxes", "box_scores"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))
        assert getattr(found, field).dtype == np.float32
        assert not np.shares_memory(getattr(found, field), getattr(expected, field))
    assert (found.ids is None) == (expected.ids is None)
    if found.ids is not None:
        np.testing.assert_array_equal(found.ids, expected.ids)
    assert found.names == expected.names


def test_boxes_of_a_detector() -> None:
    found = Detections(
        np.ones((2, 4), np.float32), np.array([0.9, 0.5], np.float32), np.array([1, 0]), ("a", "b")
    )
    given: Any = found.to_supervision()
    np.testing.assert_array_equal(given.xyxy, found.boxes)
    np.testing.assert_array_equal(given.confidence, found.scores)
    assert given.class_id.tolist() == [1, 0]
    assert given["class_name"].tolist() == ["b", "a"]
    assert len(found[:0].to_supervision()) == 0


@pytest.mark.parametrize("poses", [people([7, 4]), people(None, count=3), people([])])
def test_there_and_back(poses: Poses) -> None:
    assert_same(from_key_points(to_key_points(poses), NAMES), poses)
    assert_same(from_detections(to_detections(poses), NAMES), poses)
    assert_same(Poses.from_supervision(poses.to_supervision(), NAMES), poses)


def test_what_supervision_selects_comes_back() -> None:
    poses = people([7, 4, 9])
    key_points: Any = to_key_points(poses)
    np.testing.assert_array_equal(key_points.visible, poses.visible())
    assert_same(from_key_points(key_points[np.array([2, 0])], NAMES), poses[np.array([2, 0])])
    detections: Any = to_detections(poses)
    chosen = detections[detections.tracker_id == 4]
    assert_same(from_detections(chosen, NAMES), poses[np.array([1])])


def test_detections_that_a_zone_emptied() -> None:
    zone = sv.PolygonZone(polygon=np.array([[9000, 9000], [9100, 9000], [9100, 9100]]))
    detections: Any = to_detections(people([1, 2]))
    outside = detections[zone.trigger(detections)]
    assert_same(from_detections(outside, NAMES), people([]))


def test_annotators_draw_them() -> None:
    canvas = np.zeros((480, 640, 3), np.uint8)
    drawn = sv.VertexAnnotator(radius=4).annotate(canvas.copy(), to_key_points(people([1, 2])))
    assert drawn.any()


def test_people_of_other_models_get_boxes_around_their_keypoints() -> None:
    xy = np.array([[[10, 40], [30, 20], [np.nan, 5]], [[np.nan] * 2] * 3], np.float32)
    poses = from_key_points(sv.KeyPoints(xy=xy), NAMES)
    assert poses.boxes.tolist() == [[10, 20, 30, 40], [0, 0, 0, 0]]
    assert poses.scores.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert poses.box_scores.tolist() == [1, 1]
    assert poses.ids is None
    assert len(from_key_points(sv.KeyPoints.empty(), NAMES)) == 0


def test_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="3 keypoints, but 2 names"):
        from_key_points(to_key_points(people([1])), NAMES[:2])
    with pytest.raises(InputError, match="contain no keypoints"):
        from_detections(sv.Detections(xyxy=np.zeros((1, 4), np.float32)), NAMES)


def test_without_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(DependencyError, match=r"pose-onnx\[supervision\]"):
        people([1]).to_supervision()
