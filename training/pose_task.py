"""Keypoints: TinyPose learns the heatmaps of TinyPose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from training import augment
from training.crops import MARGIN
from training.evaluate_pose import PoseBenchmark
from training.kernels import squared_error
from training.tinypose import TinyPose
from training.weights import load_npz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from training.chain import Features

MIRROR: Final = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]  # COCO joints, left and right
MIRROR_SHIFT: Final = 0.75  # heatmap pixels


class PoseTask:
    """Crops of people in, heatmaps out."""

    metric: Final = "AP"
    output_weight: Final = 4.0

    def __init__(
        self,
        size: tuple[int, int],
        data: Path,
        teacher: Path,
        benchmark: PoseBenchmark | None,
        *,
        flip: bool = False,
        fine: bool = False,
    ) -> None:
        """Read the crops and the teacher.

        Args:
            size: Width and height of the input.
            data: Folder of `training.crops`.
            teacher: Official weights.
            benchmark: What to measure on.
            flip: Average the teacher's heatmaps with those of the mirrored image: a better
                target for a quarter more time.
            fine: More cuts, see `TinyPose`.
        """
        self.flip = flip
        self.size = size
        self.crops = np.load(data / "crops.npy", mmap_mode="r")
        self.student, self.teacher = TinyPose(fine=fine), TinyPose(fine=fine)
        load_npz(self.teacher, teacher)
        self.benchmark = benchmark

    def batch(self, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Random views of random people."""
        picked = rng.integers(0, len(self.crops), size)
        views = [augment.person_view(self.crops[i], self.size, MARGIN, rng) for i in picked]
        return augment.colour(np.stack(views), rng)

    def target(self, teacher: nn.Module, image: Tensor, output: Features) -> Features:
        """What the student should say: the teacher's output, on request averaged with its mirror."""
        if not self.flip:
            return output
        with torch.no_grad():
            return [(output[0] + aligned(teacher(image.flip(3)))) / 2]

    def output_loss(self, student: Features, teacher: Features, scales: list[float]) -> Tensor:
        """Squared error of the heatmaps over their variance."""
        return squared_error(student[0], teacher[0]) / scales[0]

    def evaluate(self, network: nn.Module) -> float:
        """Keypoint AP, or 0 without a benchmark."""
        return self.benchmark.average_precision(network) if self.benchmark else 0.0


def aligned(mirrored: Tensor) -> Tensor:
    """Heatmaps (N,17,h,w) of a mirrored image, back in the frame of the image.

    The image is mirrored about (w_input - 1) / 2 and heatmaps sit at a quarter of the input's
    coordinates, so that mirroring the array leaves the peaks 0.75 pixels too far left.
    """
    x = mirrored.flip(3)[:, MIRROR]
    left = torch.nn.functional.pad(x, (1, 0))[..., :-1]
    return MIRROR_SHIFT * left + (1 - MIRROR_SHIFT) * x
