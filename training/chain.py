"""Run a student as a chain of units next to its teacher, and compute the losses at the cuts."""

from __future__ import annotations

from typing import Final, Protocol

import torch
from torch import Tensor

from training.kernels import squared_error

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


def mixed(student: Features, teacher: Features, own: float, known: Features) -> Features:
    """For each image, the student's features with probability `own`, else the teacher's.

    Features that a unit only passed on (those in `known`) have already been mixed.
    """
    if own >= 1:
        return student
    pick = torch.rand(len(student[0]), 1, 1, 1, device=student[0].device) < own
    return [
        s if is_in(s, known) else torch.where(pick, s, t) if own > 0 else t
        for s, t in zip(student, teacher, strict=True)
    ]


def is_in(feature: Tensor, features: Features) -> bool:
    """Whether `feature` is one of `features` (the same tensor object)."""
    return any(feature is other for other in features)


def compare(
    student: Units, image: Tensor, taught: list[Features], scales: list[list[float]], own: float
) -> tuple[Features, list[Tensor]]:
    """Run the student next to its teacher.

    Args:
        student: The network that learns.
        image: Input (N,3,H,W).
        taught: Outputs of every unit of the teacher.
        scales: Variances of those, from `spreads`.
        own: Probability that a unit is fed with the student's features.

    Returns:
        Output of the last unit, and for every other unit the mean squared error of its
        feature maps divided by the teacher's variance (the best constant would give 1).
    """
    features, hints = [image], []
    result = features
    for index, (wanted, scale) in enumerate(zip(taught, scales, strict=True)):
        result = student.run_unit(index, features)
        errors = [
            squared_error(a, b) / c
            for a, b, c in zip(result, wanted, scale, strict=True)
            if not is_in(a, features)
        ]
        hints.append(torch.stack(errors).mean())
        features = mixed(result, wanted, own, features)
    return result, hints[:-1]


def spreads(taught: list[list[Features]]) -> list[list[float]]:
    """Variance of each of the teacher's feature maps over some batches, used to scale errors."""
    return [
        [
            float(torch.stack([f.var(dim=(0, 2, 3)).mean() for f in maps]).mean()) + SCALE_EPS
            for maps in zip(*unit, strict=True)
        ]
        for unit in zip(*taught, strict=True)
    ]
