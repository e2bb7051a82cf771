"""Several processes that train one network on one machine, started by `torchrun`.

Each process computes the gradients of its own batches; every step uses the mean over all of
them, so that all processes hold the same weights.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import distributed, nn


def join() -> None:
    """Find the other processes, if `torchrun` started this one."""
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo")


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
