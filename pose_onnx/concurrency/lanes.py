"""Run parts of one picture's work on several threads at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Part = TypeVar("Part")


class Lanes:
    """Threads that share the parts of a call.

    Several threads may call `run` at once; together they keep at most `count` threads busy, except that a
    call with a single part runs it on the calling thread.

    Args:
        count: Maximum number of threads at work. They are started when first needed.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count, "pose-onnx") if count > 1 else None

    def run(self, work: Callable[[Part], object], parts: Sequence[Part]) -> None:
        """Do the work on every part, and return when all of it is done.

        Raises:
            Exception: What the work raised on a part. Parts that had not been started by then are skipped,
                and no thread is working any more: the caller may use its arrays again.
        """
        pool = self._pool  # a local reference, so that another thread's `close` cannot remove it meanwhile
        if pool is None or len(parts) <= 1:
            for part in parts:
                work(part)
            return
        futures = [pool.submit(work, part) for part in parts]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            begun = [future for future in futures if not future.cancel()]
            wait(begun)
        for future in begun:
            future.result()

    def close(self) -> None:
        """End the threads. `run` still works, on the calling thread alone."""
        pool, self._pool = self._pool, None
        if pool:
            pool.shutdown()
