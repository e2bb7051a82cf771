"""When there is a question about a person, and about which poses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import InputError, Poses
from pose_onnx.action_windows import EVERY, Due, PaddleWindows, SlidingWindows, Windows
from pose_onnx.cards.window import WindowSpec
from pose_onnx.core.arrays import F32

SPEC = WindowSpec(50, 2.0, (384, 512))
JOINTS = tuple(map(str, range(17)))
BOTH = pytest.mark.parametrize("kind", [SlidingWindows, PaddleWindows])


def people(places: Mapping[int, float]) -> Poses:
    """People whose joints and boxes are all at one place, from the upper left."""
    ids, values = np.array([*places], np.int64), np.array([*places.values()], np.float32)
    count = len(ids)
    keypoints = np.broadcast_to(values[:, None, None], (count, 17, 2)).copy()
    boxes = np.stack([values, values, values + 10, values + 20], axis=1).reshape(count, 4)
    ones = np.ones((count, 17), np.float32)
    return Poses(keypoints, ones, boxes, ones[:, 0], JOINTS, ids)


def moving(rate: float, seconds: float, lost: Mapping[int, range] | None = None) -> list[Due]:
    """Questions about someone who moves 100 pixels a second, in a video of some frame rate."""
    windows, found = SlidingWindows(SPEC), []
    for index in range(round(rate * seconds)):
        time = index / rate
        there = {1: 100 * time} if lost is None or index not in lost[1] else {}
        found += windows.add(people(there), time)
    return found


def test_paddle_windows_end_where_pp_humans_end(shared: Path) -> None:
    spans = {1: [range(115)], 2: [range(30)], 3: [range(10, 15), range(16, 80)]}
    windows, events = PaddleWindows(SPEC), []
    for frame in range(130):
        there = {person: 1.0 for person, parts in spans.items() if any(frame in part for part in parts)}
        due = windows.add(people(there), frame / 25)
        events += [(frame, each.person, len(each.window.keypoints)) for each in due]
    with np.load(shared / "golden" / "stgcn.npz") as golden:
        np.testing.assert_array_equal(events, golden["buffer_events_frame_id_length"])


def test_paddle_windows_do_not_overlap_and_boxes_lose_what_is_behind_the_point() -> None:
    windows, found = PaddleWindows(SPEC), []
    for frame in range(100):
        found += windows.add(people({7: frame + 0.75}), 0.0)
    assert [each.window.keypoints[0, 0, 0] for each in found] == [0.75, 50.75]
    np.testing.assert_array_equal(found[1].window.boxes[0], [50, 50, 60, 70])


def test_paddle_windows_go_on_over_frames_without_anyone() -> None:
    windows, found = PaddleWindows(SPEC), []
    for frame in range(60):
        found += windows.add(people({7: 1.0} if frame < 20 or frame >= 30 else {}), 0.0)
    assert [len(each.window.keypoints) for each in found] == [50]


@pytest.mark.parametrize("rate", [7.5, 10, 24, 25, 29.97, 30, 60, 120])
def test_sliding_windows_are_the_same_at_every_frame_rate(rate: float) -> None:
    found = moving(rate, 6)
    assert 8 <= len(found) <= 10  # every half second from the first second on
    window = found[-1].window
    assert window.keypoints.shape == (50, 17, 2)
    assert window.boxes.shape == (50, 4)
    steps = np.diff(window.keypoints[:, 0, 0])
    np.testing.assert_allclose(steps, 100 * 2.0 / 50, atol=1e-3)


def test_a_question_every_half_second_about_everyone() -> None:
    windows = SlidingWindows(SPEC)
    asked = {
        time: [due.person for due in windows.add(people({2: 1.0, 1: 2.0}), time)]
        for time in (index / 20 for index in range(81))
    }
    assert {time for time, ids in asked.items() if ids} == {1 + index * EVERY for index in range(7)}
    assert all(ids in ([], [1, 2]) for ids in asked.values())


def test_short_gaps_are_bridged() -> None:
    whole, gaps = moving(25, 4), moving(25, 4, {1: range(65, 74)})
    assert len(whole) == len(gaps)
    for ours, theirs in zip(whole, gaps, strict=True):
        np.testing.assert_allclose(ours.window.keypoints, theirs.window.keypoints, atol=1e-3)
        np.testing.assert_allclose(ours.window.boxes, theirs.window.boxes, atol=1e-3)


def test_a_question_waits_for_who_is_lost() -> None:
    times = [due.window.keypoints[-1, 0, 0] / 100 for due in moving(25, 4, {1: range(60, 70)})]
    assert times == pytest.approx([1, 1.52, 2, 2.8, 3, 3.52])  # frames 25 * t, the first not before


def test_who_was_lost_for_long_begins_anew() -> None:
    found = moving(25, 6, {1: range(75, 95)})
    after = [each.window.keypoints for each in found if each.window.keypoints[-1, 0, 0] > 100 * 95 / 25]
    assert len(after[0]) < 50
    assert min(window[0, 0, 0] for window in after) >= 100 * 95 / 25


def test_memory_is_bounded() -> None:
    windows = SlidingWindows(SPEC)
    for index in range(2000):
        windows.add(people({index // 50: 1.0}), index / 50)
    assert len(windows._people) <= 2
    assert max(len(person.seen) for person in windows._people.values()) <= 2 * 50 + 2


def test_another_video_begins_anew() -> None:
    windows = SlidingWindows(SPEC)
    for index in range(60):
        windows.add(people({1: 1.0}), index / 25)
    found: list[Due] = []
    for index in range(30):
        found += windows.add(people({1: 500.0}), index / 25)
    (due,) = found
    assert due.window.keypoints.min() == 500


@BOTH
def test_poses_are_copied(kind: Callable[[WindowSpec], Windows]) -> None:
    windows, found = kind(SPEC), list[Due]()
    for index in range(60):
        poses = people({1: 1.0})
        found += windows.add(poses, index / 25)
        poses.keypoints[:] = np.nan
        poses.boxes[:] = np.nan
    values: list[F32] = [array for due in found for array in due.window]
    assert found
    assert all(np.isfinite(array).all() for array in values)


@BOTH
def test_poses_without_ids_are_refused(kind: Callable[[WindowSpec], Windows]) -> None:
    poses = people({1: 1.0})
    anonymous = Poses(poses.keypoints, poses.scores, poses.boxes, poses.box_scores, poses.names)
    with pytest.raises(InputError, match="have no ids"):
        kind(SPEC).add(anonymous, 0.0)


@BOTH
def test_what_was_collected_goes_through_json(kind: Callable[[WindowSpec], Windows]) -> None:
    rng = np.random.default_rng(0)
    windows, found, others = kind(SPEC), list[Due](), list[Due]()
    frames = [(index / 23, people({1: rng.normal(), 2: rng.normal()})) for index in range(130)]
    for index, (time, poses) in enumerate(frames):
        found += windows.add(poses, time)
        if index == 77:
            again = kind(SPEC)
            again.restore(json.loads(json.dumps(windows.state())))
            found.clear()
        if index > 77:
            others += again.add(poses, time)
    assert len(found) == len(others) > 1
    for one, other in zip(found, others, strict=True):
        assert one.person == other.person
        np.testing.assert_array_equal(one.window.keypoints, other.window.keypoints)
        np.testing.assert_array_equal(one.window.boxes, other.window.boxes)
