"""Items through several threads: in order, bounded, and without a deadlock whatever fails or blocks."""

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_onnx.concurrency import stream
from pose_onnx.concurrency.stream import Stream

PATIENCE = 30  # seconds, after which something hangs


def tenfold(items: Sequence[int]) -> list[int]:
    return [10 * item for item in items]


def serving() -> int:
    """Return how many threads of streams are alive."""
    return sum("_serve" in each.name or "_feed" in each.name for each in threading.enumerate())


@settings(deadline=None, max_examples=30)
@given(size=st.integers(0, 40), workers=st.integers(1, 4), group=st.integers(1, 5))
def test_results_in_the_order_of_the_items(size: int, workers: int, group: int) -> None:
    results = Stream(range(size), tenfold, workers=workers, group=group).results()
    assert list(results) == [10 * item for item in range(size)]
    assert serving() == 0


@pytest.mark.parametrize(("workers", "group"), [(1, 1), (2, 3)])
def test_takes_no_more_than_it_has_room_for(workers: int, group: int) -> None:
    pulled = 0

    def endless() -> Iterator[int]:
        nonlocal pulled
        for item in count():
            pulled = item + 1
            yield item

    results = Stream(endless(), tenfold, workers=workers, group=group).results()
    for turn in range(50):
        assert next(results) == 10 * turn
        assert pulled <= turn + 1 + 2 * workers * group
    results.close()
    assert serving() == 0


def test_a_result_does_not_wait_for_the_next_item() -> None:
    """As from a camera: the next picture is not there yet."""
    seen = threading.Event()

    def camera() -> Iterator[int]:
        for item in range(3):
            yield item
            assert seen.wait(PATIENCE)
            seen.clear()

    found = []
    for result in Stream(camera(), tenfold, workers=2, group=4).results():
        found.append(result)
        seen.set()
    assert found == [0, 10, 20]


def test_closing_does_not_wait_for_an_item_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PATIENCE_S", 0.05)
    stuck = threading.Event()

    def broken_camera() -> Iterator[int]:
        yield 1
        stuck.wait(PATIENCE)

    results = Stream(broken_camera(), tenfold, workers=2, group=1).results()
    assert next(results) == 10
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < PATIENCE
    stuck.set()


def test_the_iterable_is_free_after_a_break() -> None:
    """Nobody is inside a generator that the caller goes on with."""

    def slow() -> Iterator[int]:
        for item in count():
            time.sleep(0.02)
            yield item

    items = slow()
    for _ in Stream(items, tenfold, workers=2, group=1).results():
        break
    assert serving() == 0
    assert next(items) <= 1 + 2 * 2


def test_what_the_items_raise_comes_after_the_results_before() -> None:
    def ends_badly() -> Iterator[int]:
        yield from range(5)
        raise LookupError("no more")

    results = Stream(ends_badly(), tenfold, workers=2, group=2).results()
    assert [next(results) for _ in range(5)] == [0, 10, 20, 30, 40]
    with pytest.raises(LookupError, match="no more"):
        next(results)
    assert serving() == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_what_the_work_raises_comes_after_the_results_before(workers: int) -> None:
    def fails_on_seven(items: Sequence[int]) -> list[int]:
        if 7 in items:
            raise LookupError("seven")
        return tenfold(items)

    results = Stream(count(), fails_on_seven, workers=workers, group=1).results()
    assert [next(results) for _ in range(7)] == [10 * item for item in range(7)]
    with pytest.raises(LookupError, match="seven"):
        next(results)
    assert serving() == 0


def test_something_that_is_no_iterable() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        next(Stream(7, tenfold, workers=1, group=1).results())  # type: ignore[arg-type]  # that is the test


def test_workers_work_at_once() -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def meet(items: Sequence[int]) -> list[int]:
        both.wait()
        return tenfold(items)

    assert list(Stream(range(6), meet, workers=2, group=1).results()) == [0, 10, 20, 30, 40, 50]
