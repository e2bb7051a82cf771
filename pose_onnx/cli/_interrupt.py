"""Ctrl-C and SIGTERM: an interrupted command cleans up, and critical sections are not interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM was received, as sent by `kill`, `timeout` and service managers."""


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


@contextmanager
def terminated_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` in the block: temporary files are deleted, and results written."""
    in_main = threading.current_thread() is threading.main_thread()
    # The parent process may ignore or handle it; only the system's default handler is replaced.
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the block is done.

    Raises:
        KeyboardInterrupt: After the block, if Ctrl-C was pressed in it or SIGTERM came.
    """
    in_main = threading.current_thread() is threading.main_thread()
    # As above; for SIGTERM, only our own handler is delayed.
    ways = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminate}
    held = {number: way for number, way in ways.items() if in_main and signal.getsignal(number) is way}
    came: list[int] = []
    for number in held:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, way in held.items():
            signal.signal(number, way)
    if came:
        ways[signal.Signals(came[0])](came[0], None)
