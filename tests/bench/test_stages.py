"""Stages are timed where the pipeline really runs, and add up to the whole."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_onnx import TopDownEstimator
from pose_onnx.bench import REST, STAGES, StageClock, watched
from pose_onnx.bench._stages import FUNCTIONS, METHODS, Event, Shares
from pose_onnx.image_files import write_image

FIRST, SECOND = STAGES[1:3]


@pytest.fixture
def estimator(tiny_detector: Path, tiny_pose: Path) -> TopDownEstimator:
    return TopDownEstimator(tiny_detector, tiny_pose, threads=1, flip=True)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[16:24, 16:24] = 255
    write_image(tmp_path / "person.png", pixels)
    return tmp_path / "person.png"


def ticking() -> Callable[[], float]:
    """Return a clock that goes on by one each time it is asked."""
    ticks = count()
    return lambda: float(next(ticks))


def test_every_stage_is_met_in_the_real_pipeline(estimator: TopDownEstimator, picture: Path) -> None:
    clock = StageClock(ticking())
    expected = estimator(picture)
    with watched(clock, [estimator]):
        seconds, found = clock.split(lambda: estimator(picture))
    assert tuple(seconds) == STAGES
    assert min(seconds.values()) > 0, seconds
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)


def test_every_function_of_the_table_is_met(estimator: TopDownEstimator, picture: Path) -> None:
    met: set[str] = set()

    class Spy(StageClock):
        def timed(self, function: Callable[..., Any], stage_of: Callable[..., str]) -> Callable[..., Any]:
            def noted(*args: Any, **options: Any) -> Any:
                met.add(f"{function.__module__}:{function.__name__}")
                return function(*args, **options)

            assert stage_of is not None
            return noted

    with watched(Spy(), [estimator]):
        estimator(picture)
    assert set(FUNCTIONS) <= met
    assert {place.rpartition(":")[2] for place in met - set(FUNCTIONS)} == {
        "run",
        *(name for methods in METHODS.values() for name in methods),
    }


def test_afterwards_nothing_is_watched(estimator: TopDownEstimator, picture: Path) -> None:
    def everything() -> dict[tuple[str, str], object]:
        modules = {name: vars(module) for name, module in sys.modules.items() if name.startswith("pose_onnx")}
        return {(name, key): value for name, names in modules.items() for key, value in names.items()}

    runtime = estimator.detector.runtime
    before, run = everything(), type(runtime).run
    with watched(StageClock(), [estimator]):
        estimator(picture)
        assert type(runtime).run is not run
    after = everything()
    assert type(runtime).run is run
    assert all(after[key] is value for key, value in before.items())


def test_an_error_ends_its_stage(estimator: TopDownEstimator, tmp_path: Path) -> None:
    clock = StageClock(ticking())

    def fail() -> None:
        with pytest.raises(ValueError, match="does not exist"):
            estimator(tmp_path / "absent.png")

    with watched(clock, []):
        seconds, _ = clock.split(fail)
    assert seconds == {**dict.fromkeys(STAGES, 0.0), STAGES[0]: 1.0, REST: 2.0}


def shares(events: Iterable[Event], start: float, end: float) -> dict[str, float]:
    running = Shares(start)
    for event in sorted(events):
        running.note(event)
    return running.until(end)


def test_of_stages_within_each_other_the_inner_counts() -> None:
    events = [Event(1, 7, FIRST, True), Event(3, 7, SECOND, True), Event(4, 7, SECOND, False)]
    events.append(Event(8, 7, FIRST, False))
    seconds = shares(events, 0, 10)
    assert (seconds[FIRST], seconds[SECOND], seconds[REST]) == (6, 1, 3)


def test_threads_that_work_at_once_share_the_time() -> None:
    events = [Event(0, 1, FIRST, True), Event(2, 2, SECOND, True)]
    events += [Event(6, 1, FIRST, False), Event(8, 2, SECOND, False)]
    seconds = shares(events, 0, 8)
    assert (seconds[FIRST], seconds[SECOND], seconds[REST]) == (2 + 4 / 2, 4 / 2 + 2, 0)


@given(st.lists(st.lists(st.sampled_from(STAGES[:-1]), max_size=4), max_size=4), st.randoms())
def test_stages_add_up_to_the_whole(threads: list[list[str]], order: Any) -> None:
    """Any number of threads, each with stages one after another, at any times."""
    events = []
    for thread, stages in enumerate(threads):
        times = sorted(order.uniform(0, 1) for _ in range(2 * len(stages)))
        for index, stage in enumerate(stages):
            events.append(Event(times[2 * index], thread, stage, True))
            events.append(Event(times[2 * index + 1], thread, stage, False))
    seconds = shares(events, 0, 1)
    assert sum(seconds.values()) == pytest.approx(1)
    assert min(seconds.values()) >= 0


def test_worker_threads_are_seen() -> None:
    clock = StageClock()
    both = threading.Barrier(2)
    work = clock.timed(lambda _: both.wait(timeout=60), lambda stage: stage)

    def run() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, (FIRST, SECOND)))

    seconds, _ = clock.split(run)
    assert seconds[FIRST] > 0
    assert seconds[SECOND] > 0
