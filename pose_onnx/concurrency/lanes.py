"""Parts of one picture's work on several threads at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")


class Lanes:
    """Threads that share out the parts of a call. The thread that calls is one of them.

    Several threads may call `run` at once: each works off its own parts, helped by whoever is idle, so that
    none waits for a thread that is busy with another's.

    Args:
        count: Threads at work in one call, at most. They are started when they are first needed.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._helpers = ThreadPoolExecutor(count - 1, "pose-onnx") if count > 1 else None

    def run(self, work: Callable[[Part], object], parts: Iterable[Part]) -> None:
        """Do the work on every part, and return when all of it is done.

        Raises:
            Exception: What the work raised on a part. Parts that nobody had begun by then are left.
        """
        listed = list(parts)
        waiting = iter(listed)
        helpers = self._helpers
        wanted = min(self.count, len(listed)) - 1 if helpers else 0
        helping = [helpers.submit(_work_off, work, waiting) for _ in range(wanted)] if helpers else []
        try:
            _work_off(work, waiting)
        finally:
            # One that has not begun finds nothing left to do; one that has writes to the caller's arrays.
            begun = [future for future in helping if not future.cancel()]
            errors = [future.exception() for future in begun]
        for error in filter(None, errors):
            raise error

    def close(self) -> None:
        """End the threads. `run` still works, on the calling thread alone."""
        helpers, self._helpers = self._helpers, None
        if helpers:
            helpers.shutdown()


def _work_off(work: Callable[[Part], object], waiting: Iterator[Part]) -> None:
    try:
        for part in waiting:
            work(part)
    except BaseException:
        for _ in waiting:  # the call has failed: leave nothing for the others
            pass
        raise
