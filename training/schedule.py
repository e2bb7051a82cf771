"""What changes during a run: learning rate, hand-over to own features, weight average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

WARM_UP: Final = 0.01  # share of the run with a rising learning rate
EMA_LONGEST: Final = 0.999


@dataclass(frozen=True, slots=True)
class Schedule:
    """Settings that depend on the position in the run, from 0 to 1.

    Attributes:
        peak_rate: Largest learning rate.
        local_until: Before this position every unit is fed only the teacher's features.
        own_from: After this position every unit is fed only the student's own features.
        hint_weight: Weight of the hints while units are fed by the teacher.
        last_hint_weight: Weight at the end of the run.
    """

    peak_rate: float
    local_until: float
    own_from: float
    hint_weight: float = 1.0
    last_hint_weight: float = 0.1

    def rate(self, position: float) -> float:
        """Learning rate: short warm-up, then down to zero with the square of the remaining share."""
        if position < WARM_UP:
            return self.peak_rate * (position / WARM_UP + 1e-3)
        return self.peak_rate * (1 - min(position, 1.0)) ** 2

    def own(self, position: float) -> float:
        """Probability that a unit is fed with the student's features."""
        span = max(self.own_from - self.local_until, 1e-9)
        return min(max((position - self.local_until) / span, 0.0), 1.0)

    def hints(self, position: float) -> float:
        """Weight of the hint losses."""
        done = min(max((position - self.own_from) / max(1 - self.own_from, 1e-9), 0.0), 1.0)
        return self.hint_weight + done * (self.last_hint_weight - self.hint_weight)


def average_into(average: nn.Module, network: nn.Module, steps: int) -> None:
    """Move the parameters of `average` towards those of `network` (exponential average)."""
    keep = min(EMA_LONGEST, (1 + steps) / (10 + steps))
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - keep)
