"""Keypoints: TinyPose learns the heatmaps of TinyPose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from recipe import augment
from recipe.crops import MARGIN
from recipe.evaluate_pose import PoseBenchmark
from recipe.kernels import squared_error
from recipe.tinypose import TinyPose
from recipe.weights import load_npz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from recipe.chain import Features
    from torch import Tensor, nn


class PoseTask:
    """Crops of people in, heatmaps out."""

    metric = "AP"
    output_weight = 4.0

    def __init__(
        self, size: tuple[int, int], data: Path, teacher: Path, benchmark: PoseBenchmark | None
    ) -> None:
        """Read the crops and the teacher; `size` is width and height of the input."""
        self.size = size
        self.crops = np.load(data / "crops.npy", mmap_mode="r")
        self.student, self.teacher = TinyPose(), TinyPose()
        load_npz(self.teacher, teacher)
        self.benchmark = benchmark

    def batch(self, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Random views of random people."""
        picked = rng.integers(0, len(self.crops), size)
        views = [augment.person_view(self.crops[i], self.size, MARGIN, rng) for i in picked]
        return augment.colour(np.stack(views), rng)

    def output_loss(self, student: Features, teacher: Features, scales: list[float]) -> Tensor:
        """Squared error of the heatmaps over their variance."""
        return squared_error(student[0], teacher[0]) / scales[0]  # type: ignore[no-any-return]

    def evaluate(self, network: nn.Module) -> float:
        """Keypoint AP, or 0 without a benchmark."""
        return self.benchmark.average_precision(network) if self.benchmark else 0.0
