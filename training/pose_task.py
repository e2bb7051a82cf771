"""Keypoints: a TinyPose student learns its teacher's heatmaps."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose_onnx import ModelCard
from pose_onnx.outputs import KeypointOutput
from training import augment
from training.chain import Features
from training.crops import MARGIN
from training.draw import CROPS, Draw
from training.evaluate import Benchmark
from training.kernels import squared_error
from training.tinypose import TinyPose
from training.weights import load_npz


class PoseTask:
    """Crops of people in, heatmaps out."""

    metric: Final = "AP"
    output_weight: Final = 4.0

    def __init__(
        self,
        card: ModelCard,
        data: Path,
        teacher: Path,
        benchmark: Benchmark | None,
        *,
        flip: bool = False,
        fine: bool = False,
    ) -> None:
        """Read the crops and the teacher.

        Args:
            card: The teacher's card.
            data: Folder of `training.crops`.
            teacher: Official weights.
            benchmark: What to measure on.
            flip: Average the teacher's heatmaps with those of the mirrored image: a better
                target, but a quarter more time.
            fine: More cuts; see `TinyPose`.
        """
        self.flip = flip
        self.card = card
        self.size = card.picture.size[::-1]  # width and height, as OpenCV takes them
        self.draw = Draw(data, CROPS)
        self.student, self.teacher = TinyPose(fine=fine), TinyPose(fine=fine)
        load_npz(self.teacher, teacher)
        self.benchmark = benchmark

    def batch(self, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Random views of random people."""
        draw = partial(self.draw, rng)
        views = [augment.person_view(draw, self.size, MARGIN, rng) for _ in range(size)]
        return augment.colour(np.stack(views), rng)

    def target(self, teacher: nn.Module, image: Tensor, output: Features) -> Features:
        """The student's target: the teacher's output, optionally averaged with that of the mirrored image."""
        if not self.flip:
            return output
        with torch.no_grad():
            mirrored = teacher(image.flip(3))
        straight, back = ({"heatmaps": maps.cpu().numpy()} for maps in (output[0], mirrored))
        merged = cast("KeypointOutput", self.card.output).merge_mirrored(straight, back, self.card)
        return [torch.from_numpy(merged["heatmaps"]).to(image.device)]

    def output_loss(self, student: Features, teacher: Features, weights: Features) -> Tensor:
        """Squared error of the heatmaps, divided by their variance."""
        return squared_error(student[0], teacher[0], weights[0])

    def relevance(self, output: Features) -> Features:
        """The same for every cell of every heatmap."""
        return [torch.ones_like(maps) for maps in output]

    def evaluate(self, network: nn.Module) -> float:
        """Keypoint AP, or 0 without a benchmark."""
        return self.benchmark.keypoint_ap(network) if self.benchmark else 0.0
