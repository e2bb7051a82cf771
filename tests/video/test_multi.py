"""Several videos at once: the results of each alone, turns, dropped frames, streams that fail alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from pose_onnx import InputError, PoseModel, Poses, SourceError, TopDownEstimator, UnexpectedError
from pose_onnx.core.arrays import Image
from pose_onnx.detections import Detections
from pose_onnx.image_files import ImageSource
from pose_onnx.video import Frame, FrameSource, MultiVideo, VideoPoseEstimator, VideoSource, VideoStream
from pose_onnx.video.sources.live import LiveSource
from tests.video.clips import make_clip
from tests.video.test_estimator import clip, scene
from tests.video.test_live import Device

SOON_S = 20.0
"""Longer than anything here takes on a busy machine; nothing waits for so long when it works."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Watched(TopDownEstimator):
    """Writes down what it is asked for: "look" for the detector, or of how many pictures people are found."""

    def __init__(self, *models: Path) -> None:
        super().__init__(*models, threads=1)
        self.asked: list[str | int] = []

    def find_boxes(self, image: ImageSource, **options: Any) -> Detections:
        self.asked.append("look")
        return super().find_boxes(image, **options)

    def find_in_boxes(self, image: ImageSource, boxes: ArrayLike, **options: Any) -> Poses:
        self.asked.append(1)
        return super().find_in_boxes(image, boxes, **options)

    def find_in_boxes_together(
        self, images: Sequence[ImageSource], boxes: Sequence[ArrayLike], **options: Any
    ) -> list[Poses]:
        self.asked.append(len(images))
        if any(isinstance(image, np.ndarray) and len(image) == 65 for image in images):
            raise InputError("no picture has 65 rows")
        return super().find_in_boxes_together(images, boxes, **options)


@pytest.fixture
def estimator(tiny_detector: Path, tiny_pose: Path) -> Iterator[Watched]:
    with Watched(tiny_detector, tiny_pose) as models:
        yield models


class Pushed(FrameSource):
    """Gives the frames that the test pushes; ends at `None`, and raises what is an exception."""

    def __init__(self, *items: Image | Exception | None, live: bool = True) -> None:
        self.live = live
        self.fps = self.frame_count = self.size = None
        self.skipped = self.missing = self.reconnects = 0
        self._items: list[Image | Exception | None] = list(items)
        self._news = threading.Condition()
        self._is_stopped = self.closed = False

    def push(self, *items: Image | Exception | None) -> None:
        with self._news:
            self._items += items
            self._news.notify_all()

    def __iter__(self) -> Iterator[tuple[int, float, Image]]:
        index = 0
        while True:
            with self._news:
                self._news.wait_for(lambda: self._items or self._is_stopped)
                item = None if self._is_stopped else self._items.pop(0)
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield index, index / 30, item
            index += 1

    def stop(self) -> None:
        with self._news:
            self._is_stopped = True
            self._news.notify_all()

    def close(self) -> None:
        self.closed = True


def by_stream(cameras: MultiVideo) -> dict[VideoStream, list[Frame]]:
    """Return all results; each stream ends once, after its frames."""
    found: dict[VideoStream, list[Frame]] = {}
    ended = set()
    for stream, frame in cameras.frames():
        assert stream not in ended
        if frame is None:
            ended.add(stream)
        else:
            found.setdefault(stream, []).append(frame)
    assert found.keys() <= ended
    return found


def assert_same(ones: list[Frame], others: list[Frame]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert (one.index, one.time, one.detected) == (other.index, other.time, other.detected)
        for name in ("ids", "keypoints", "scores", "boxes", "box_scores"):
            np.testing.assert_array_equal(getattr(one.poses, name), getattr(other.poses, name))
        np.testing.assert_array_equal(one.image, other.image)


def folded(count: int, seed: int) -> list[tuple[float, Image]]:
    """Return a clip in which people come and go."""
    return [(index / 30, scene(1 + (index // (4 + seed)) % 2, seed=index)) for index in range(count)]


@pytest.mark.parametrize("every", ["auto", 1, 4])
def test_files_at_once_have_the_results_of_each_alone(estimator: Watched, tmp_path: Path, every: Any) -> None:
    file = make_clip(tmp_path / "a.mp4", [image for _, image in folded(25, 0)], fps=25)
    sources: dict[str, VideoSource] = {"a": file, "b": folded(30, 1), "c": folded(12, 2), "d": folded(31, 3)}
    video = VideoPoseEstimator(estimator, every=every)
    alone = {name: list(video.run(source)) for name, source in sources.items()}
    with MultiVideo(video) as cameras:
        for name, source in sources.items():
            cameras.add(source, name=name)
        found = {stream.name: frames for stream, frames in by_stream(cameras).items()}
    assert found.keys() == alone.keys()
    for name, frames in found.items():
        assert_same(frames, alone[name])


def test_frames_that_wait_are_found_together_and_one_of_them_is_looked_at(estimator: Watched) -> None:
    with MultiVideo(VideoPoseEstimator(estimator, every=4)) as cameras:
        streams = [cameras.add(clip(20), name=str(number)) for number in range(3)]
        order = []
        until(lambda: all(stream.is_waiting for stream in streams))
        for stream, frame in cameras.frames():
            if frame is not None:
                order.append(int(stream.name))
            until(lambda: all(each.is_waiting or each.has_ended for each in streams))
    assert order == [2, 1, 0] * 20  # who came last was served last least lately
    rounds = "".join(str(each) for each in estimator.asked).replace("look", "L")
    assert "LL" not in rounds
    assert "L3" in rounds  # one is looked at, and two more are followed, in one batch
    assert sum(each for each in estimator.asked if isinstance(each, int)) == 60


def test_a_live_stream_drops_what_is_old_and_counts_it(estimator: Watched) -> None:
    source = Pushed(*[scene(seed=index) for index in range(10)])
    with MultiVideo(estimator) as cameras:
        camera = cameras.add(source, name="camera")
        until(lambda: not source._items and camera.is_waiting)
        until(lambda: camera.dropped == 9)
        results = cameras.frames()
        _, frame = next(results)
        assert frame is not None
        assert frame.index == 9
        source.push(scene(), None)
        assert [each and each.index for _, each in results] == [10, None]
    assert (camera.frames, camera.dropped, camera.error) == (2, 9, None)
    assert camera.rate > 0
    assert source.closed


def test_a_slow_capture_is_told_of_by_its_source() -> None:
    device = Device()
    source = LiveSource(0, device, reopen=lambda _: None, first_backoff=0.01)
    device.give(4)
    until(lambda: source.dropped == 3)
    device.broken = True
    device.give()
    source.close()


def test_a_frame_waits_for_those_of_other_streams(estimator: Watched) -> None:
    first, second = Pushed(scene()), Pushed(scene())
    with MultiVideo(VideoPoseEstimator(estimator, every=4), gather=SOON_S) as cameras:
        one, two = (cameras.add(source, name=name) for source, name in ((first, "1"), (second, "2")))
        results = cameras.frames()
        assert {next(results).stream, next(results).stream} == {one, two}
        first.push(scene())
        until(lambda: one.is_waiting)
        later = threading.Timer(0.01, second.push, [scene()])
        later.start()
        assert {next(results).stream, next(results).stream} == {one, two}
        later.join()
        assert estimator.asked[-1] == 2
    for gather in (-1, float("nan")):
        with pytest.raises(InputError, match="give seconds of 0 or more"):
            MultiVideo(estimator, gather=gather)


def test_what_fails_ends_alone(estimator: Watched) -> None:
    video = VideoPoseEstimator(estimator)
    alone = list(video.run(clip(30)))
    frozen = Pushed(scene())
    with MultiVideo(video) as cameras:
        good = cameras.add(clip(30), name="good")
        missing = cameras.add("missing.mp4")
        rubbish = cameras.add([(0.0, scene()), (0.1, np.zeros((4, 4), np.uint8))], name="rubbish")
        broken = cameras.add(Pushed(scene(), SourceError("it broke")), name="broken")
        odd = cameras.add(Pushed(scene(), ZeroDivisionError("odd"), live=False), name="odd")
        network = cameras.add(Pushed(*[scene(size=65)] * 9, None, live=False), name="network")
        stuck = cameras.add(frozen, name="stuck")
        frames: dict[VideoStream, list[Frame]] = {}
        for stream, frame in cameras.frames():
            if frame is not None:
                frames.setdefault(stream, []).append(frame)
            if cameras.streams == (stuck,):
                assert stuck.error is None
                stuck.remove()
    assert_same(frames[good], alone)
    assert len(frames[stuck]) == 1
    assert isinstance(missing.error, InputError)
    assert "does not exist" in str(missing.error)
    assert isinstance(rubbish.error, InputError)
    assert str(broken.error) == "it broke"
    assert isinstance(odd.error, UnexpectedError)
    assert network.error is None  # it failed in a batch only, and is found alone
    assert good.error is None


def test_of_a_batch_that_fails_the_guilty_ends(estimator: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(image: ImageSource, boxes: ArrayLike, **options: Any) -> Poses:
        if isinstance(image, np.ndarray) and len(image) == 65 and len(frames[guilty]) > 3:
            raise InputError("no picture has 65 rows")
        return TopDownEstimator.find_in_boxes(estimator, image, boxes, **options)

    monkeypatch.setattr(estimator, "find_in_boxes", refuse)
    with MultiVideo(estimator) as cameras:
        guilty = cameras.add(Pushed(*[scene(size=65)] * 20, None, live=False), name="guilty")
        others = [cameras.add(clip(20), name=str(number)) for number in range(3)]
        frames: dict[VideoStream, list[Frame]] = {stream: [] for stream in (guilty, *others)}
        for stream, frame in cameras.frames():
            frames[stream] += [] if frame is None else [frame]
    assert str(guilty.error) == "no picture has 65 rows"
    assert len(frames[guilty]) == 4
    assert [len(frames[stream]) for stream in others] == [20, 20, 20]


def test_streams_come_and_go_while_it_runs(estimator: Watched) -> None:
    camera = Pushed(scene(2))
    with MultiVideo(estimator) as cameras:
        first = cameras.add(camera, name="camera")
        later: list[VideoStream] = []
        order = []
        for stream, frame in cameras.frames():
            order.append((stream.name, frame and frame.index))
            if order[-1] == ("camera", 0):
                later.append(cameras.add(clip(3), name="later"))
                with pytest.raises(InputError, match="already a stream named 'later'"):
                    cameras.add(clip(3), name="later")
            if order[-1] == ("later", None):
                assert cameras.streams == (first,)
                cameras.remove(first)
        assert order == [("camera", 0), *(("later", index) for index in (0, 1, 2, None)), ("camera", None)]
        assert later[0].history.ids == (1,)
        assert first.history.ids == (1, 2)
        assert list(cameras.frames()) == []
        cameras.add(clip(1), name="later")
        assert [frame and frame.index for _, frame in cameras.frames()] == [0, None]
    with pytest.raises(InputError, match=r"after close\(\)"):
        cameras.add(clip(1))
    assert camera.closed


def test_what_was_removed_gives_no_result_of_a_round_that_it_was_in(estimator: Watched) -> None:
    with MultiVideo(VideoPoseEstimator(estimator, every=4)) as cameras:
        streams = [cameras.add(clip(9), name=str(number)) for number in range(2)]
        counts = dict.fromkeys(streams, 0)
        until(lambda: all(stream.is_waiting for stream in streams))
        for stream, frame in cameras.frames():
            counts[stream] += frame is not None
            until(lambda: all(each.is_waiting or each.has_ended for each in streams))
            if counts[streams[0]] == 3:
                cameras.remove(streams[1])
    assert counts[streams[0]] == 9
    assert counts[streams[1]] == 3
    assert streams[1].error is None


def test_a_camera_that_comes_back_goes_on(estimator: Watched) -> None:
    first, second = Device(), Device()
    first.give()
    source = LiveSource(0, first, reopen=lambda _: second, first_backoff=0.01)
    with MultiVideo(estimator) as cameras:
        camera = cameras.add(source, name="camera")
        results = cameras.frames()
        assert next(results).frame is not None
        first.broken = True
        first.give(10)
        until(lambda: source.reconnects == 1)
        second.give()
        _, frame = next(results)
        assert frame is not None
        assert frame.index == 1
        second.broken = True
        second.give(10)
        camera.remove()
        assert next(results).frame is None


def test_a_stream_goes_on_from_the_state_of_another(estimator: Watched) -> None:
    video = VideoPoseEstimator(estimator)
    whole = list(video.run(folded(20, 0)))
    with MultiVideo(video) as cameras:
        stream = cameras.add(folded(20, 0), stop=0.3, name="part")
        begun = by_stream(cameras)[stream]
        cameras.add(folded(20, 0), name="rest", session=video.start(stream.session.state()), first=9)
        (rest,) = by_stream(cameras).values()
    assert_same(begun + rest, whole)


class Whole:
    """A model of one network: it cannot be told where people are."""

    def __init__(self, model: PoseModel) -> None:
        self.names, self.skeleton = model.names, model.skeleton
        self.flip_pairs, self.sigmas = model.flip_pairs, model.sigmas
        self._model = model

    def __call__(self, image: ImageSource, *, color: Any = "bgr") -> Poses:
        return self._model(image, color=color)

    def describe(self) -> dict[str, Any]:
        return self._model.describe()

    def close(self) -> None:
        """Nothing is its own."""


def test_a_model_of_one_network_looks_at_every_frame(estimator: Watched) -> None:
    video = VideoPoseEstimator(Whole(estimator))
    with MultiVideo(video) as cameras:
        for name in "ab":
            cameras.add(folded(10, ord(name)), name=name)
        found = {stream.name: frames for stream, frames in by_stream(cameras).items()}
    for name, frames in found.items():
        assert_same(frames, list(video.run(folded(10, ord(name)))))


def test_names_hide_passwords(estimator: Watched) -> None:
    with MultiVideo(estimator) as cameras:
        sources: list[VideoSource] = ["rtsp://me:secret@127.0.0.1:1/x", 99, []]
        names = [cameras.add(source).name for source in sources]
        assert names == ["rtsp://***@127.0.0.1:1/x", "camera 99", "frames"]
        errors = {stream.name: stream.error for stream, frame in cameras.frames() if frame is None}
    assert "secret" not in str(errors)
    assert isinstance(errors["camera 99"], SourceError)
    assert errors["frames"] is None
