"""The last seconds of everyone's poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pose_onnx import InputError, Poses
from pose_onnx.video import Frame, PoseHistory

IMAGE = np.zeros((4, 4, 3), np.uint8)


def frame(time: float, places: dict[int, float], *, ids: bool = True) -> Frame:
    """Return a frame in which each person has one joint, at (place, 0)."""
    count = len(places)
    points = np.array([[[place, 0]] for place in places.values()], np.float32).reshape(count, 1, 2)
    numbers = np.array(list(places), np.int64) if ids else None
    scores, boxes = np.full((count, 1), 0.5, np.float32), np.zeros((count, 4), np.float32)
    return Frame(
        0,
        time,
        IMAGE,
        Poses(points, scores, boxes, np.ones(count, np.float32), ("nose",), numbers),
        detected=True,
    )


def test_a_window_has_fixed_length_and_nan_for_gaps() -> None:
    history = PoseHistory(seconds=1.0, fps=10)
    for index in (0, 1, 2, 5, 6):
        history.add(frame(index / 10, {7: float(index)}))
    window = history.window(7)
    assert window.keypoints.shape == (10, 1, 2)
    np.testing.assert_allclose(window.times, np.arange(-3, 7) / 10)
    expected = [np.nan] * 3 + [0, 1, 2, np.nan, np.nan, 5, 6]
    np.testing.assert_array_equal(window.keypoints[:, 0, 0], expected)
    np.testing.assert_array_equal(window.seen(), np.isfinite(expected))
    np.testing.assert_array_equal(np.isnan(window.scores[:, 0]), np.isnan(expected))


def test_the_window_moves_on_and_forgets() -> None:
    history = PoseHistory(seconds=0.5, fps=10)
    history.add(frame(0.0, {1: 1.0, 2: 2.0}))
    for index in range(1, 5):
        history.add(frame(index / 10, {2: 2.0}))
    assert list(history.ids) == [1, 2]
    history.add(frame(0.5, {2: 3.0}))
    assert list(history.ids) == [2]
    np.testing.assert_array_equal(history.window(2).keypoints[:, 0, 0], [2, 2, 2, 2, 3])
    with pytest.raises(InputError, match="no person with the id 1"):
        history.window(1)
    history.add(frame(60.0, {}))
    assert list(history.ids) == []


def test_a_gap_longer_than_the_window_leaves_nothing_old() -> None:
    history = PoseHistory(seconds=0.5, fps=10)
    for index in range(5):
        history.add(frame(index / 10, {1: 1.0}))
    history.add(frame(9.0, {1: 5.0}))
    np.testing.assert_array_equal(history.window(1).keypoints[:, 0, 0], [np.nan] * 4 + [5])


def test_of_two_frames_in_one_slot_the_later_stays() -> None:
    history = PoseHistory(seconds=0.2, fps=10)
    history.add(frame(0.10, {1: 1.0}))
    history.add(frame(0.12, {1: 2.0}))
    np.testing.assert_array_equal(history.window(1).keypoints[:, 0, 0], [np.nan, 2])


def test_another_video_begins_anew() -> None:
    history = PoseHistory(seconds=1.0, fps=10)
    for run, place in ((1, 1.0), (2, 5.0)):
        for index in range(3):
            history.add(replace(frame(index / 10, {1: place}), run=run))
    np.testing.assert_array_equal(history.window(1).keypoints[:, 0, 0], [np.nan] * 7 + [5] * 3)
    with pytest.raises(InputError, match="use one PoseHistory per video"):
        history.add(replace(frame(0.3, {1: 1.0}), run=1))
    with pytest.raises(InputError, match=r"at 0\.100 s was added after one at 0\.200 s"):
        history.add(replace(frame(0.1, {1: 1.0}), run=2))


def test_what_it_refuses() -> None:
    with pytest.raises(InputError, match="seconds=0"):
        PoseHistory(seconds=0)
    with pytest.raises(InputError, match="no ids"):
        PoseHistory().add(frame(0.0, {1: 1.0}, ids=False))
