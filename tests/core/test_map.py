"""Many images through one estimator: the answers of single calls, whatever runs beside what."""

import multiprocessing
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose_onnx import (
    Detector,
    EngineError,
    InputError,
    KeypointModel,
    PoseOnnxError,
    Poses,
    TopDownEstimator,
    UnexpectedError,
    read_card,
)
from pose_onnx.buffers import Buffers
from pose_onnx.runtimes import Tensor
from pose_onnx.runtimes._traits import CPU_RUN_PIXELS


def photo(people: int) -> np.ndarray:
    """Return a picture of another size for each number of people, which are white squares on noise."""
    image = np.random.default_rng(people).integers(0, 90, (64 + 16 * people, 208, 3), np.uint8)
    for person in range(people):
        left = 24 * person
        image[16 + 8 * person : 40 + 8 * person, left : left + 16] = 255
    image.flags.writeable = False
    return image


PHOTOS = [photo(people) for people in (2, 0, 1, 7, 3, 0, 0, 5, 1, 1, 4)]


@pytest.fixture
def estimator(tiny_detector: Path, tiny_pose: Path) -> Iterator[TopDownEstimator]:
    with TopDownEstimator(tiny_detector, tiny_pose, threads=2) as opened:
        yield opened


def assert_same(given: Poses, expected: Poses) -> None:
    for name in ("keypoints", "scores", "boxes", "box_scores"):
        np.testing.assert_array_equal(getattr(given, name), getattr(expected, name), err_msg=name)
    assert given.names == expected.names


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("batch_size", [None, 1, 3])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_equal_to_the_last_bit(
    tiny_detector: Path, tiny_pose: Path, threads: int, batch_size: int | None, flip: bool
) -> None:
    with TopDownEstimator(tiny_detector, tiny_pose, threads=1, flip=flip) as alone:
        expected = [alone(image) for image in PHOTOS]
    assert sum(map(len, expected)) > 20
    with TopDownEstimator(
        tiny_detector, tiny_pose, threads=threads, flip=flip, batch_size=batch_size
    ) as estimator:
        for image, poses, answer in zip(PHOTOS, estimator.map(PHOTOS), expected, strict=True):
            assert_same(poses, answer)
            assert_same(estimator(image), answer)


def test_paths_and_generators(estimator: TopDownEstimator, tmp_path: Path) -> None:
    for index, image in enumerate(PHOTOS):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), image)
    found = estimator.map(path for path in sorted(tmp_path.iterdir()))
    for image, poses in zip(PHOTOS, found, strict=True):
        assert_same(poses, estimator(image))


def test_color_is_that_of_a_call(estimator: TopDownEstimator) -> None:
    (poses,) = estimator.map([PHOTOS[3][:, :, ::-1]], color="rgb")
    assert_same(poses, estimator(PHOTOS[3]))


def test_nothing_in_nothing_out(estimator: TopDownEstimator) -> None:
    assert list(estimator.map([])) == []


def test_a_bad_image_is_raised_in_its_turn(estimator: TopDownEstimator) -> None:
    results = estimator.map([PHOTOS[0], PHOTOS[3], "nowhere.jpg", PHOTOS[0]])
    for image in (PHOTOS[0], PHOTOS[3]):
        assert_same(next(results), estimator(image))
    with pytest.raises(InputError, match=r"nowhere\.jpg"):
        next(results)
    assert list(results) == []


def test_a_bad_image_is_returned_and_the_others_are_not_lost(estimator: TopDownEstimator) -> None:
    grey = np.zeros((20, 20), np.uint8)
    bad: list[str | np.ndarray] = [PHOTOS[0], "nowhere.jpg", PHOTOS[3], grey, PHOTOS[0]]
    results = list(estimator.map(bad, on_error="return"))
    assert [isinstance(result, PoseOnnxError) for result in results] == [False, True, False, True, False]
    for index in (0, 2, 4):
        poses = results[index]
        assert isinstance(poses, Poses)
        assert_same(poses, estimator(PHOTOS[0] if index != 2 else PHOTOS[3]))


def test_what_nobody_foresaw_is_that_images_failure(
    estimator: TopDownEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In either half, with the other images of its batch unharmed."""
    expected = [estimator(image) for image in PHOTOS]
    for part, bad in ((estimator.detector, 1), (estimator.pose, 3)):
        shape, run = PHOTOS[bad].shape, part._find

        def fail(given: Any, *rest: Any, shape: Any = shape, run: Any = run) -> Any:
            images = [given] if isinstance(given, np.ndarray) else [scene.image for scene in given]
            if any(image.shape == shape for image in images):
                raise MemoryError("too large")
            return run(given, *rest)

        with monkeypatch.context() as patched:
            patched.setattr(part, "_find", fail)
            results = list(estimator.map(PHOTOS, on_error="return"))
            with pytest.raises(MemoryError, match="too large"):
                list(estimator.map(PHOTOS))
        for index, (result, answer) in enumerate(zip(results, expected, strict=True)):
            if PHOTOS[index].shape == shape:
                assert isinstance(result, UnexpectedError)
                assert f"image {index}" in str(result)
                assert "too large" in str(result)
            else:
                assert isinstance(result, Poses)
                assert_same(result, answer)


def test_arguments_are_checked_at_once(estimator: TopDownEstimator) -> None:
    with pytest.raises(InputError, match=r"'photo\.jpg'.*such as \[image\]"):
        estimator.map("photo.jpg")
    with pytest.raises(InputError, match="'raise' or 'return'"):
        estimator.map([], on_error="skip")  # type: ignore[call-overload]  # that is the test


def test_a_closed_estimator_says_so(estimator: TopDownEstimator) -> None:
    assert len(list(estimator.map(PHOTOS))) == len(PHOTOS)
    estimator.close()
    with pytest.raises(EngineError, match="closed"):
        list(estimator.map(PHOTOS))
    with pytest.raises(EngineError, match="closed"):
        estimator(PHOTOS[3])


def test_no_thread_is_left(tiny_detector: Path, tiny_pose: Path) -> None:
    before = set(threading.enumerate())
    with TopDownEstimator(tiny_detector, tiny_pose, threads=3) as estimator:
        estimator(PHOTOS[3])
        results = estimator.map(PHOTOS * 50)
        next(results)
        del results
        list(estimator.map(PHOTOS))
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    assert set(threading.enumerate()) == before


def test_one_estimator_for_many_threads(estimator: TopDownEstimator) -> None:
    """The buffers that are used again belong to one thread each."""
    expected = [estimator(image) for image in PHOTOS]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for poses, answer in zip(pool.map(estimator, PHOTOS * 10), expected * 10, strict=True):
                assert_same(poses, answer)
    finally:
        sys.setswitchinterval(interval)


def test_people_run_on_threads_of_their_own(tiny_pose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = np.tile(np.array([[10, 10, 50, 60]], np.float32), (4, 1))
    with KeypointModel(tiny_pose, threads=2, batch_size=2) as model:
        both = threading.Barrier(2, timeout=30)
        run = model.runtime.run

        def meet(feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
            both.wait()
            return run(feeds)

        monkeypatch.setattr(model.runtime, "run", meet)
        assert len(model(PHOTOS[0], boxes)) == 4


@pytest.mark.parametrize("flip", [False, True])
def test_a_run_is_as_large_as_the_cache_likes(tiny_pose: Path, flip: bool) -> None:
    with KeypointModel(tiny_pose, threads=1, flip=flip) as model:
        assert model.batch_size == CPU_RUN_PIXELS // (64 * 48) // (1 + flip)


def test_a_buffer_is_the_threads_own() -> None:
    buffers = Buffers()
    first = buffers.get(2, 3)
    assert first.shape == (2, 3)
    assert np.shares_memory(first, buffers.get(6))
    with ThreadPoolExecutor(1) as pool:
        assert not np.shares_memory(first, pool.submit(buffers.get, 2, 3).result())
    assert buffers.get(50).size == 50


EXIT = """
import sys
import numpy as np
from itertools import repeat
from pose_onnx import TopDownEstimator
estimator = TopDownEstimator(sys.argv[1], sys.argv[2], threads=3)
image = np.full((480, 640, 3), 255, np.uint8)
image[:, ::2] -= 10  # of one colour, it would show nobody
results = estimator.map(repeat(image))
assert len(next(results))
{end}
"""


@pytest.mark.parametrize(
    "end",
    [
        "",
        "for _ in results: sys.exit()",
        "import threading; threading.Thread(target=list, args=[results], daemon=True).start()",
    ],
)
def test_a_program_may_end_while_images_are_at_work(tiny_detector: Path, tiny_pose: Path, end: str) -> None:
    """Python takes threads down in a way that aborts engines: none may be inside one then."""
    code = EXIT.format(end=end)
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code, tiny_detector, tiny_pose],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "options", [{}, {"threshold": 0.7, "flip": True, "batch_size": 2, "preset": "paddle"}]
)
def test_pickles_by_its_settings(tiny_detector: Path, tiny_pose: Path, options: dict[str, Any]) -> None:
    with TopDownEstimator(tiny_detector, tiny_pose, threads=1, **options) as estimator:
        twin = pickle.loads(pickle.dumps(estimator))
        halves = pickle.loads(pickle.dumps(TopDownEstimator(estimator.detector, estimator.pose)))
        for image in PHOTOS[:4]:
            assert_same(twin(image), estimator(image))
            assert_same(halves(image), estimator(image))


def test_a_process_pool_takes_an_estimator(estimator: TopDownEstimator) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert_same(pool.submit(estimator, PHOTOS[3]).result(), estimator(PHOTOS[3]))


def test_a_detector_pickles_with_its_classes(tiny_detector: Path) -> None:
    two = replace(read_card(tiny_detector), classes=("cat",))
    detector = Detector(tiny_detector, card=two, threads=1)
    assert pickle.loads(pickle.dumps(detector)).card == two
    detector.select(())
    assert len(detector(PHOTOS[3])) == len(pickle.loads(pickle.dumps(detector))(PHOTOS[3])) == 0
