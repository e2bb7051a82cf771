"""A student run as a chain of units beside its teacher, and the losses at the cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import torch
from recipe.kernels import squared_error

if TYPE_CHECKING:
    from torch import Tensor

    Features = list[Tensor]

SCALE_EPS: Final = 1e-6  # keeps the error of a constant teacher feature finite


class Units(Protocol):
    """A network cut into units."""

    def unit_count(self) -> int:
        """Number of units."""

    def run_unit(self, index: int, features: Features) -> Features:
        """Run one unit."""


def teacher_features(teacher: Units, image: Tensor) -> list[Features]:
    """Outputs of every unit of the teacher."""
    out, features = [], [image]
    with torch.no_grad():
        for index in range(teacher.unit_count()):
            features = teacher.run_unit(index, features)
            out.append(features)
    return out


def mixed(student: Features, teacher: Features, own: float) -> Features:
    """Per image, with probability `own`, the student's features, else the teacher's."""
    if own >= 1:
        return student
    if own <= 0:
        return teacher
    pick = torch.rand(len(student[0]), 1, 1, 1, device=student[0].device) < own
    return [torch.where(pick, s, t) for s, t in zip(student, teacher, strict=True)]


def student_features(student: Units, image: Tensor, taught: list[Features], own: float) -> list[Features]:
    """Outputs of every unit of the student, each fed with a mix of its own and the teacher's."""
    out, features = [], [image]
    for index in range(student.unit_count()):
        result = student.run_unit(index, features)
        out.append(result)
        features = mixed(result, taught[index], own)
    return out


def spreads(taught: list[list[Features]]) -> list[list[float]]:
    """Variance of every feature map of the teacher over some batches, as scales of errors."""
    return [
        [
            float(torch.stack([f.var(dim=(0, 2, 3)).mean() for f in maps]).mean()) + SCALE_EPS
            for maps in zip(*unit, strict=True)
        ]
        for unit in zip(*taught, strict=True)
    ]


def hint_losses(student: list[Features], teacher: list[Features], scales: list[list[float]]) -> list[Tensor]:
    """Mean squared error over the teacher's variance, averaged over the maps of each unit.

    1 is what the best constant would give.
    """
    return [
        torch.stack([squared_error(a, b) / c for a, b, c in zip(s, t, scale, strict=True)]).mean()
        for s, t, scale in zip(student, teacher, scales, strict=True)
    ]
