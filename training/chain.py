"""Run a student as a chain of units next to its teacher, and compute the losses at the cuts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import torch
from torch import Tensor

from training.kernels import squared_error

Features = list[Tensor]

PROJECTIONS: Final = 4  # random combinations of the outputs, for each batch
TINY: Final = 1e-30  # keeps the weights of a constant map finite


class Units(Protocol):
    """A network cut into units."""

    def unit_count(self) -> int:
        """Number of units."""

    def run_unit(self, index: int, features: Features) -> Features:
        """Run one unit."""


def unit_outputs(network: Units, image: Tensor) -> list[Features]:
    """Outputs of every unit."""
    out, features = [], [image]
    for index in range(network.unit_count()):
        features = network.run_unit(index, features)
        out.append(features)
    return out


def teacher_features(teacher: Units, image: Tensor) -> list[Features]:
    """Outputs of every unit of the teacher, as constants."""
    with torch.no_grad():
        return unit_outputs(teacher, image)


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
    student: Units, image: Tensor, taught: list[Features], weights: list[Features], own: float
) -> tuple[Features, list[Tensor]]:
    """Run the student next to its teacher.

    Args:
        student: The network that learns.
        image: Input (N,3,H,W).
        taught: Outputs of every unit of the teacher.
        weights: Of the channels of those, from `channel_weights`.
        own: Probability that a unit is fed with the student's features.

    Returns:
        Output of the last unit, and for every other unit the weighted squared error of its
        feature maps (the best constant would give 1).
    """
    features, hints = [image], []
    result = features
    for index, (wanted, weight) in enumerate(zip(taught, weights, strict=True)):
        result = student.run_unit(index, features)
        errors = [
            squared_error(a, b, w)
            for a, b, w in zip(result, wanted, weight, strict=True)
            if not is_in(a, features)
        ]
        hints.append(torch.stack(errors).mean())
        features = mixed(result, wanted, own, features)
    return result, hints[:-1]


def channel_weights(
    teacher: Units, images: list[Tensor], relevance: Callable[[Features], Features], seed: int
) -> list[Features]:
    """How much an error in each channel of the teacher's feature maps matters to its output.

    The weights are the mean squared gradients of random combinations of the outputs: the diagonal of the
    Gauss-Newton matrix, estimated with random projections (Bekas et al., Applied Numerical Mathematics,
    2007). Variances alone would not do: one channel of PicoDet's second unit has more variance than its 47
    others together.

    Args:
        teacher: The network, whose parameters need no gradients.
        images: Batches of its input (N,3,H,W).
        relevance: From the outputs to the share that an error of each number has (broadcast to their shapes).
        seed: Of the combinations.

    Returns:
        For every map of every unit the weights (C,) of its channels. With them, `squared_error` between the
        map and the mean of each channel is 1.
    """
    random = torch.Generator().manual_seed(seed)
    spreads, slopes = list[Features](), list[Features]()
    units = list[Features]()
    for image in images:
        units = unit_outputs(teacher, image.detach().requires_grad_())
        maps = [f for unit in units for f in unit]
        spreads.append([f.detach().var((0, 2, 3)) for f in maps])
        shares = relevance(units[-1])
        for _ in range(PROJECTIONS):
            factors = [torch.randn(f.shape, generator=random).to(f.device) for f in units[-1]]
            combined = sum((s * z * f).sum() for s, z, f in zip(shares, factors, units[-1], strict=True))
            gradients = torch.autograd.grad(combined, maps, retain_graph=True)
            slopes.append([g.square().mean((0, 2, 3)) for g in gradients])
    spread, slope = _means(spreads), _means(slopes)
    weights = iter([b / (a * b).sum().clamp(min=TINY) for a, b in zip(spread, slope, strict=True)])
    return [[next(weights) for _ in unit] for unit in units]


def _means(rows: list[Features]) -> Features:
    return [torch.stack(column).mean(0) for column in zip(*rows, strict=True)]
