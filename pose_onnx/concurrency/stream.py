"""Process many items on several threads: results in order, bounded memory, can be stopped at any time."""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from threading import Condition, Thread, current_thread
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_GROUPS_A_WORKER: Final = 2
"""The group that a worker is processing, and the next one."""

PATIENCE_S: Final = 5.0
"""How long shutdown waits for the iterable to finish the item that it is busy with. Longer than any picture
takes, but finite: a dead camera must not block shutdown forever."""


class Stream(Generic[Item, Result]):
    """Items on their way from an iterable, through workers, to a consumer.

    One thread takes items from the iterable, so that an iterable that blocks (a camera) does not delay
    results that are ready. Workers take their share of the waiting items, up to a group. Once the results end
    or are closed or dropped, or the program ends, the threads have ended: no thread is inside the iterable,
    and no engine runs during interpreter shutdown, which would abort the process. The only exception is an
    iterable that blocks for longer than `PATIENCE_S`: its thread, a daemon, cannot be ended.

    Args:
        items: Where items come from; iterated in a separate thread.
        work: Turns a group of items into as many results.
        workers: Number of worker threads.
        group: Maximum number of items that one worker takes at a time.
    """

    def __init__(
        self,
        items: Iterable[Item],
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        workers: int,
        group: int,
    ) -> None:
        self._items = items
        self._work = work
        self._feeder = Thread(target=self._feed, daemon=True)
        self._servers = [Thread(target=self._serve, daemon=True) for _ in range(workers)]
        self._group = group
        self._changed = Condition()  # guards all attributes below
        self._waiting: deque[tuple[int, Item]] = deque()
        self._done: dict[int, Result] = {}
        self._room = workers * group * _GROUPS_A_WORKER
        self._count: int | None = None  # number of items, once no more will come
        self._failure: BaseException | None = None
        self._is_closed = False

    def results(self) -> Generator[Result]:
        """Start the threads and yield the results in the order of the items.

        Raises:
            BaseException: What the iterable or the work raised, after the results of all earlier items have
                been yielded.
        """
        atexit.register(self._stop)
        try:
            for thread in (self._feeder, *self._servers):
                thread.start()
            turn = 0
            while self._await(turn):
                yield self._take(turn)
                turn += 1
        finally:
            self._stop()
            atexit.unregister(self._stop)

    def _stop(self) -> None:
        """End the threads once they have finished their current work."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        # Not alive if the system could not start it. Results may be dropped on any thread, including ours.
        alive = [each for each in (self._feeder, *self._servers) if each.is_alive()]
        for thread in alive:
            if thread is not current_thread():
                thread.join(PATIENCE_S if thread is self._feeder else None)

    def _await(self, turn: int) -> bool:
        """Wait for a result; return false if there is none because the items have ended."""
        with self._changed:
            self._changed.wait_for(lambda: turn in self._done or turn == self._count or self._is_closed)
            if turn not in self._done and self._failure is not None:
                raise self._failure
            return turn in self._done

    def _take(self, turn: int) -> Result:
        with self._changed:
            self._room += 1
            self._changed.notify_all()
            return self._done.pop(turn)

    def _feed(self) -> None:
        count = 0
        try:
            for item in self._items:
                if not self._offer(count, item):
                    return
                count += 1
        except BaseException as error:  # noqa: BLE001 (raised to the consumer, in its turn)
            self._end(count, error)
        else:
            self._end(count)

    def _offer(self, index: int, item: Item) -> bool:
        """Hand an item to the workers and wait for room for the next; return false once none is wanted."""
        with self._changed:
            self._waiting.append((index, item))
            self._room -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._room > 0 or self._is_closed)
            return not self._is_closed

    def _serve(self) -> None:
        while group := self._next_group():
            try:
                results = self._work([item for _, item in group])
            except BaseException as error:  # noqa: BLE001 (raised to the consumer, in its turn)
                self._end(group[0][0], error)
                return
            with self._changed:
                self._done.update(zip((index for index, _ in group), results, strict=True))
                self._changed.notify_all()

    def _next_group(self) -> list[tuple[int, Item]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._count is not None or self._is_closed)
            if self._is_closed:
                return []
            share = -(-len(self._waiting) // len(self._servers))
            return [self._waiting.popleft() for _ in range(min(share, self._group))]

    def _end(self, count: int, failure: BaseException | None = None) -> None:
        """Record that there are no results from this item on."""
        with self._changed:
            if self._count is None or count < self._count:
                self._count, self._failure = count, failure
            self._changed.notify_all()
