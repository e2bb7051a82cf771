"""Person detection: a PicoDet student learns its teacher's scores and box distributions at every location."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pose_onnx import ModelCard
from training import augment
from training.chain import Features
from training.draw import PHOTOS, Draw
from training.evaluate import Benchmark
from training.picodet import REG_BINS, PicoDet, boxes, flatten_levels, scores
from training.weights import load_npz

BOX_WEIGHT: Final = 2.0  # of the overlap loss
BINS_WEIGHT: Final = 1.0  # of the box distributions
LOGIT_WEIGHT: Final = 0.5  # of each of the two factors of the score
MIN_TAUGHT_SCORE: Final = 0.05  # boxes at locations with lower scores are not taught
LARGEST_PROBABILITY: Final = 1 - 1e-6


class DetectorTask:
    """Photos in, raw maps out."""

    metric: Final = "mAP"
    output_weight: Final = 1.0

    def __init__(
        self,
        card: ModelCard,
        data: Path,
        teacher: Path,
        benchmark: Benchmark | None,
        *,
        natural: bool = False,
    ) -> None:
        """Read the photos and the teacher.

        Args:
            card: The teacher's card.
            data: Folder of `training.crops`.
            teacher: Official weights.
            benchmark: What to measure on.
            natural: Draw nearly whole photos, as in use, instead of parts and mosaics.
        """
        self.card = card
        self.natural = natural
        self.size = card.picture.size[0]  # square
        self.draw = Draw(data, PHOTOS)
        self.student, self.teacher = PicoDet(), PicoDet()
        load_npz(self.teacher, teacher)
        self.benchmark = benchmark

    def batch(self, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Random views of random photos."""
        draw = partial(self.draw, rng)
        views = [augment.scene_view(draw, self.size, rng, natural=self.natural) for _ in range(size)]
        return augment.colour(np.stack(views), rng)

    def target(self, teacher: nn.Module, image: Tensor, output: Features) -> Features:
        """The teacher's output, unchanged."""
        del teacher, image
        return output

    def output_loss(self, student: Features, teacher: Features, weights: Features) -> Tensor:
        """Focal loss of the scores, divergence of the box bins, overlap of the boxes."""
        del weights
        ours, theirs = flatten_levels(student), flatten_levels(teacher)
        wanted = scores(theirs)
        mass = wanted.sum().clamp(min=1.0)
        factors = functional.binary_cross_entropy_with_logits(
            ours[..., :2], theirs[..., :2].sigmoid(), reduction="none"
        ).sum(-1)
        gap = (ours[..., :2].sigmoid() - theirs[..., :2].sigmoid()).abs().amax(-1).detach()
        sharp = wanted * (wanted > MIN_TAUGHT_SCORE)
        weight = sharp / sharp.sum().clamp(min=1.0)
        overlap = overlap_loss(boxes(ours, self.size), boxes(theirs, self.size))
        return (
            score_loss(scores(ours), wanted) / mass
            + LOGIT_WEIGHT * (factors * gap).sum() / mass
            + BINS_WEIGHT * (bins_divergence(ours, theirs) * weight).sum()
            + BOX_WEIGHT * (overlap * weight).sum()
        )

    def relevance(self, output: Features) -> Features:
        """Locations count by their scores, as in the losses of the boxes."""
        return [scores(maps.detach().movedim(1, -1)).sqrt().unsqueeze(1) for maps in output]

    def evaluate(self, network: torch.nn.Module) -> float:
        """Person mAP, or 0 without a benchmark."""
        return self.benchmark.person_map(network) if self.benchmark else 0.0


def score_loss(ours: Tensor, wanted: Tensor) -> Tensor:
    """Quality focal loss (Li et al., NeurIPS 2020, with exponent 1), summed."""
    ours = ours.clamp(max=LARGEST_PROBABILITY)
    entropy = functional.binary_cross_entropy(ours, wanted, reduction="none")
    return (entropy * (ours - wanted).abs().detach()).sum()


def bins_divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the box bins per location, mean over the four sides."""
    p = theirs[..., 2:].unflatten(-1, (4, REG_BINS)).log_softmax(-1)
    q = ours[..., 2:].unflatten(-1, (4, REG_BINS)).log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).mean(-1)


def overlap_loss(a: Tensor, b: Tensor) -> Tensor:
    """1 - generalised IoU (Rezatofighi et al., CVPR 2019) of boxes (...,4)."""
    (low_a, high_a), (low_b, high_b) = a.split(2, -1), b.split(2, -1)
    common = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(-1)
    hull = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).prod(-1)
    union = (high_a - low_a).prod(-1) + (high_b - low_b).prod(-1) - common
    return 1 - common / union.clamp(min=1.0) + (hull - union) / hull.clamp(min=1.0)
