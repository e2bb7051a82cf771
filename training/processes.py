"""Several processes that train one network on one machine.

Each process computes the gradients of its own batches; every step uses the mean over all of
them, so that all processes hold the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from torch import distributed, multiprocessing, nn

Argument = TypeVar("Argument")


def run(work: Callable[[Argument], None], argument: Argument, processes: int) -> None:
    """Call `work(argument)` in as many processes, or in this one if it is one."""
    if processes == 1:
        work(argument)
        return
    with TemporaryDirectory() as folder:
        meeting = Path(folder, "meeting").as_uri()
        multiprocessing.spawn(_join, (processes, meeting, work, argument), processes)


def _join(
    number: int, processes: int, meeting: str, work: Callable[[Argument], None], argument: Argument
) -> None:
    distributed.init_process_group("gloo", init_method=meeting, rank=number, world_size=processes)
    work(argument)
    distributed.destroy_process_group()


def count() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0. Process 0 writes the files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes."""
    if count() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    total = torch.cat([g.flatten() for g in gradients])
    distributed.all_reduce(total)
    for gradient, part in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient) / count())
