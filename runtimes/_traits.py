"""What an adapter says of its engine beyond the protocol, by attributes that it may have or lack.

`is_parallel` (bool): several threads can run one loaded model at the same time. Where not (the default), they
wait for each other, and only threads inside a run make use of several cores.

`fills_device` (bool): one run keeps the whole device busy, as on a GPU. The people of one picture are then
not shared out to several runs at once.

`run_pixels` (int): pixels of all inputs in one run up to which a larger batch pays.

They are asked of the loaded model; `is_parallel` of the adapter too, before it loads one: it then gets a
single thread for the inside of a run. A class attribute answers both.
"""

from __future__ import annotations

from typing import Final

CPU_RUN_PIXELS: Final = 2 * 256 * 192
"""For each thread inside a run: more pixels leave the cache between two operators (docs/runtimes.md)."""


def is_parallel(adapter: object) -> bool:
    """Say whether several threads can run one model of an adapter, or this loaded model, at the same time."""
    return bool(getattr(adapter, "is_parallel", False))


def fills_device(runtime: object) -> bool:
    """Say whether one run keeps the whole device busy."""
    return bool(getattr(runtime, "fills_device", False))


def run_pixels(runtime: object) -> int:
    """Return how many pixels all inputs of one run have best, at most."""
    return int(getattr(runtime, "run_pixels", CPU_RUN_PIXELS))
