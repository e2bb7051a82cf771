"""Properties of an engine beyond the protocol, as optional attributes of its adapter.

`is_parallel` (bool): several threads can run one loaded model at the same time. If not (the default), they
wait for each other, and only threads inside a run use several cores.

`fills_device` (bool): one run keeps the whole device busy, as on a GPU. The people of one picture are then
not distributed over several parallel runs.

`run_pixels` (int): a larger batch is worthwhile up to this many pixels of all inputs in one run.

They are read from the loaded model. `is_parallel` is also read from the adapter before it loads a model: if
set, each run gets a single inner thread. A class attribute serves both cases.
"""

from __future__ import annotations

from typing import Final

CPU_RUN_PIXELS: Final = 2 * 256 * 192
"""Per thread inside a run: more pixels do not stay in the cache between two operators (docs/runtimes.md)."""
ACCELERATOR_RUN_PIXELS: Final = 64 * 256 * 192
"""A batch of 64: on an accelerator, each run has the cost of its launch."""


def is_parallel(adapter: object) -> bool:
    """Say whether several threads can run one model of an adapter, or this loaded model, at the same time."""
    return bool(getattr(adapter, "is_parallel", False))


def fills_device(runtime: object) -> bool:
    """Say whether one run keeps the whole device busy."""
    return bool(getattr(runtime, "fills_device", False))


def run_pixels(runtime: object) -> int:
    """Return the largest recommended number of pixels of all inputs in one run."""
    return int(getattr(runtime, "run_pixels", CPU_RUN_PIXELS))
