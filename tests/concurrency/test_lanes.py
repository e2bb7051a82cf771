"""Parts of one call on several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_onnx.concurrency.lanes import Lanes
from pose_onnx.keypoint_model import share_out

PATIENCE = 30  # seconds, after which something hangs


@settings(deadline=None)
@given(lanes=st.integers(1, 5), size=st.integers(0, 60))
def test_every_part_is_done_once(lanes: int, size: int) -> None:
    done = np.zeros(size, int)

    def mark(part: int) -> None:
        done[part] += 1

    threads = Lanes(lanes)
    threads.run(mark, range(size))
    threads.close()
    assert (done == 1).all()


def test_parts_are_done_at_once() -> None:
    both = threading.Barrier(2, timeout=PATIENCE)
    lanes = Lanes(2)
    lanes.run(lambda _: both.wait(), range(6))
    lanes.close()


def test_no_more_threads_than_lanes_or_parts() -> None:
    before = threading.active_count()
    lanes = Lanes(4)
    lanes.run(lambda _: None, range(2))
    assert threading.active_count() <= before + 2
    lanes.run(lambda _: None, range(50))
    assert threading.active_count() <= before + 4
    lanes.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("lanes", [1, 3])
def test_what_a_part_raises_ends_the_call(lanes: int) -> None:
    threads = Lanes(lanes)
    done: list[int] = []

    def fail(part: int) -> None:
        done.append(part)
        if part == 3:
            raise LookupError("three")

    with pytest.raises(LookupError, match="three"):
        threads.run(fail, range(100))
    if lanes == 1:
        assert done == [0, 1, 2, 3]
    threads.run(done.append, [-1])
    assert done[-1] == -1
    threads.close()


def test_nothing_is_at_work_after_an_error() -> None:
    """The caller may use the arrays again that the parts were writing to."""
    lanes = Lanes(2)
    entered, raised = threading.Event(), threading.Event()
    finished = []

    def work(part: int) -> None:
        if part == 0:
            assert entered.wait(PATIENCE)
            raised.set()
            raise LookupError
        entered.set()
        assert raised.wait(PATIENCE)
        finished.append(part)

    with pytest.raises(LookupError):
        lanes.run(work, [0, 1])
    assert finished == [1]
    lanes.close()


def test_many_callers_share_the_threads() -> None:
    lanes = Lanes(2)

    def call(seed: int) -> int:
        sums = [0] * 20
        lanes.run(lambda part: sums.__setitem__(part, part * seed), range(20))
        return sum(sums)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, range(50))) == [190 * seed for seed in range(50)]
    lanes.close()


def test_works_alone_after_close() -> None:
    lanes = Lanes(3)
    lanes.close()
    lanes.close()
    done: list[int] = []
    lanes.run(done.append, range(3))
    assert done == [0, 1, 2]


@given(count=st.integers(0, 300), most=st.integers(1, 20), lanes=st.integers(1, 9))
def test_batches_are_even_and_keep_the_lanes_busy(count: int, most: int, lanes: int) -> None:
    batches = share_out(count, most, lanes)
    sizes = [batch.stop - batch.start for batch in batches]
    assert sum(sizes) == count
    assert all(first.stop == second.start for first, second in pairwise(batches))
    if count:
        assert (batches[0].start, batches[-1].stop) == (0, count)
        assert min(sizes) >= 1
        assert max(sizes) <= most
        assert max(sizes) - min(sizes) <= 1
        assert len(batches) == count or len(batches) % lanes == 0
