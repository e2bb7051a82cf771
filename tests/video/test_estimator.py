"""The whole: options, times, when the detector runs; with models of one convolution."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import DependencyError, InputError, PoseEstimator
from pose_onnx.core.arrays import Image
from pose_onnx.video import Every, OneEuro, PaddleFilter, VideoPoseEstimator, open_source
from pose_onnx.video.estimator import SMOOTHERS
from pose_onnx.video.tracking.motion import person_size
from pose_onnx.video.tracking.person import Sight, Track, begin
from pose_onnx.video.tracking.schedule import MOST_FRAMES, frames_between

FPS = 30.0


@pytest.fixture(scope="module")
def estimator(tiny_detector: Path, tiny_pose: Path) -> Iterator[PoseEstimator]:
    with PoseEstimator(tiny_detector, tiny_pose, threads=1) as models:
        yield models


def scene(spots: int = 1, *, seed: int = 0, size: int = 64) -> Image:
    """Return a dark picture with white squares, each a person to the detector."""
    image = np.random.default_rng(seed).integers(0, 60, (size, size, 3), np.uint8)
    for spot in range(spots):
        image[24:32, 8 + 24 * spot : 16 + 24 * spot] = 255
    return image


def clip(count: int = 20, spots: int = 1, fps: float = FPS, first: float = 0.0) -> list[tuple[float, Image]]:
    return [(first + index / fps, scene(spots, seed=0)) for index in range(count)]


def test_frames_carry_ids_numbers_and_times(estimator: PoseEstimator) -> None:
    frames = list(VideoPoseEstimator(estimator, every=4).run(clip(spots=2)))
    assert [frame.index for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(20) / FPS)
    for frame in frames:
        assert frame.poses.ids is not None
        assert frame.poses.ids.tolist() == [1, 2]
        assert frame.poses.ids.dtype == np.int64
        assert frame.image.shape == (64, 64, 3)
    assert [frame.index for frame in frames if frame.detected] == [0, 4, 8, 12, 16]


def test_start_and_stop_are_seconds(estimator: PoseEstimator) -> None:
    frames = list(VideoPoseEstimator(estimator).run(clip(fps=10, first=5.0), start=5.5, stop=6.0))
    assert [frame.index for frame in frames] == [5, 6, 7, 8, 9]
    assert frames[0].detected


def test_nobody_is_no_people(estimator: PoseEstimator) -> None:
    for frame in VideoPoseEstimator(estimator).run(clip(3, spots=0)):
        assert len(frame.poses) == 0
        assert frame.poses.ids is not None
        assert frame.poses.keypoints.shape == (0, 17, 2)


def test_somebody_who_comes_in_is_found_at_the_next_detection(estimator: PoseEstimator) -> None:
    frames = [(index / FPS, scene(2 if index > 2 else 1)) for index in range(8)]
    counts = [len(frame.poses) for frame in VideoPoseEstimator(estimator, every=4).run(frames)]
    assert counts == [1, 1, 1, 1, 1, 2, 2, 2]  # detected in frame 4, seen again in frame 5


def test_at_most_so_many_people(estimator: PoseEstimator) -> None:
    for frame in VideoPoseEstimator(estimator, max_people=1).run(clip(spots=2)):
        assert frame.poses.ids is not None
        assert frame.poses.ids.tolist() == [1]


def test_every_frame_gives_the_images_own_poses_without_smoothing(estimator: PoseEstimator) -> None:
    ((_, image),) = clip(1)
    (frame,) = VideoPoseEstimator(estimator, every=1, smooth=None).run([(0.0, image)])
    alone = estimator(image)
    np.testing.assert_array_equal(frame.poses.keypoints, alone.keypoints)
    np.testing.assert_array_equal(frame.poses.boxes, alone.boxes)


def test_each_run_begins_anew(estimator: PoseEstimator) -> None:
    video = VideoPoseEstimator(estimator)
    first, second = ([frame.poses for frame in video.run(clip(5))] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
        np.testing.assert_array_equal(one.ids, other.ids)


def test_an_open_source_tells_how_it_went(estimator: PoseEstimator) -> None:
    with open_source(clip(4)) as source:
        assert len(list(VideoPoseEstimator(estimator).run(source))) == 4
        assert source.skipped == 0


def test_smoothing_by_name(estimator: PoseEstimator) -> None:
    assert VideoPoseEstimator(estimator).smooth == OneEuro()
    assert VideoPoseEstimator(estimator, smooth="paddle").smooth == PaddleFilter()
    assert VideoPoseEstimator(estimator, smooth=None).smooth is None
    assert set(SMOOTHERS) == {"accurate", "paddle"}


def test_frames_that_are_pushed_are_those_of_a_run(estimator: PoseEstimator) -> None:
    video = VideoPoseEstimator(estimator, every=4)
    live = video.start()
    for pulled, (time, image) in zip(video.run(clip(spots=2)), clip(spots=2), strict=True):
        pushed = live(image[..., ::-1], time, color="rgb")
        assert (pushed.index, pushed.time, pushed.detected) == (pulled.index, pulled.time, pulled.detected)
        np.testing.assert_array_equal(pushed.poses.ids, pulled.poses.ids)
        np.testing.assert_array_equal(pushed.poses.keypoints, pulled.poses.keypoints)
        np.testing.assert_array_equal(pushed.image, pulled.image)


def test_pushed_frames_go_forward(estimator: PoseEstimator) -> None:
    live = VideoPoseEstimator(estimator).start()
    assert live(scene(), 1.0, index=5).index == 5
    assert live(scene(), 1.5).index == 6
    for time, index in ((1.5, None), (float("nan"), None), (2.0, 6)):
        with pytest.raises(InputError, match="give indices and seconds that increase"):
            live(scene(), time, index=index)
    with pytest.raises(InputError, match="shape"):
        live(np.zeros((4, 4), np.uint8), 2.0)


@pytest.mark.parametrize("smooth", ["accurate", None])
def test_a_session_goes_on_from_its_state_as_if_nothing_had_happened(
    estimator: PoseEstimator, smooth: str | None
) -> None:
    video = VideoPoseEstimator(estimator, every=4, smooth=smooth)
    frames = [(index / FPS, scene(1 + (index // 7) % 2, seed=index)) for index in range(24)]
    whole = list(video.run(frames))
    for cut in range(0, 24, 3):
        session = video.start()
        for time, image in frames[:cut]:
            session(image, time)
        state = json.loads(json.dumps(session.state()))
        session = video.start(state)
        rest = [session(image, time) for time, image in frames[cut:]]
        for one, other in zip(whole[cut:], rest, strict=True):
            assert (one.index, one.detected) == (other.index, other.detected)
            np.testing.assert_array_equal(one.poses.ids, other.poses.ids)
            np.testing.assert_array_equal(one.poses.keypoints, other.poses.keypoints)
            np.testing.assert_array_equal(one.poses.box_scores, other.poses.box_scores)


def test_states_that_cannot_be_used(estimator: PoseEstimator) -> None:
    with pytest.raises(InputError, match="this state is not of a session"):
        VideoPoseEstimator(estimator).start({"index": 3})
    with pytest.raises(InputError, match=r"cannot save its state"):
        VideoPoseEstimator(estimator, smooth="paddle").start().state()


def test_scipy_is_asked_for_at_the_beginning(
    estimator: PoseEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("scipy", "scipy.optimize"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DependencyError, match=r"pose-onnx\[video\]"):
        VideoPoseEstimator(estimator, every=1)


def test_a_detection_without_area_divides_by_nothing() -> None:
    points, box = np.zeros((17, 2)), np.full(4, 9.0)
    nothing = Sight(points, np.ones(17), box, 1.0, np.zeros(48), detected=True, free=True)
    track = replace(begin(nothing, 0.0), velocity=np.array([30.0, 0.0]))
    assert 1 <= frames_between("auto", [track], 1 / 30, unsure=False) <= MOST_FRAMES
    assert person_size(np.array([5.0, 5, 3, 4])) == 1.0


def test_options_that_cannot_be_used(estimator: PoseEstimator) -> None:
    with pytest.raises(InputError, match="every=0"):
        VideoPoseEstimator(estimator, every=0)
    with pytest.raises(InputError, match="every='often'"):
        VideoPoseEstimator(estimator, every="often")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InputError, match="smooth='none'"):
        VideoPoseEstimator(estimator, smooth="none")
    with pytest.raises(InputError, match="max_people=0"):
        VideoPoseEstimator(estimator, max_people=0)
    with pytest.raises(InputError, match="does not exist"):
        next(VideoPoseEstimator(estimator).run("missing.mp4"))


def test_given_models_stay_open_and_own_ones_are_closed(estimator: PoseEstimator) -> None:
    with VideoPoseEstimator(estimator):
        pass
    assert len(estimator(scene())) == 1


def walker(x: float, velocity: float) -> Track:
    """Return somebody 100 pixels large who goes to the right."""
    points, box = np.zeros((17, 2)), np.array([x, 0.0, x + 100, 100])
    track = begin(Sight(points, np.ones(17), box, 1.0, np.zeros(48), detected=True, free=True), 0.0)
    return replace(track, velocity=np.array([velocity, 0.0]))


@pytest.mark.parametrize(
    ("every", "people", "fps", "unsure", "frames"),
    [
        (8, [], 30, False, 8),
        (8, [], 30, True, 3),
        (2, [], 30, True, 2),
        ("auto", [], 30, False, MOST_FRAMES),
        ("auto", [], 10, False, 5),
        ("auto", [], 1, False, 1),
        ("auto", [walker(0, 10)], 30, False, MOST_FRAMES),
        ("auto", [walker(0, 600)], 30, False, 5),
        ("auto", [walker(0, 0), walker(50, 0)], 30, False, 3),
    ],
)
def test_when_the_detector_runs(
    every: Every, people: list[Track], fps: float, unsure: bool, frames: int
) -> None:
    assert frames_between(every, people, 1 / fps, unsure=unsure) == frames
