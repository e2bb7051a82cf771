"""Class scores and box-edge distributions for each level, as in third-party exports of PicoDet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from pose_onnx.cards.schema import check_types
from pose_onnx.core.arrays import BOX, F32
from pose_onnx.core.nms import select_boxes
from pose_onnx.detections import Detections
from pose_onnx.outputs._spec import Shape, Tensors, nms_checks

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard

CELL_OFFSET: Final = 0.5
"""A cell's centre, in cells (PaddleDetection, ppdet/modeling/heads/pico_head.py)."""


@dataclass(frozen=True, slots=True)
class BoxDistributionOutput:
    """For each level, one tensor of class probabilities (N, A, C) and one of edge logits (N, A, 4 * bins).

    Attributes:
        score_outputs: Names of the class tensors, one for each stride.
        box_outputs: Names of the distribution tensors, one for each stride.
        strides: Input pixels per cell of each level, finest first.
        bins: Number of bins in an edge's distribution; bin i stands for i strides.
        nms_iou: Two boxes of one class with a higher IoU are the same object.
        max_boxes: Maximum number of boxes kept (the best ones).
    """

    kind: ClassVar[str] = "box_distributions"
    task: ClassVar[str] = "detect"

    score_outputs: tuple[str, ...]
    box_outputs: tuple[str, ...]
    strides: tuple[int, ...] = (8, 16, 32, 64)
    bins: int = 8
    nms_iou: float = 0.6
    max_boxes: int = 100

    def __post_init__(self) -> None:
        check_types(self, "the card's output")

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """See `OutputSpec`."""
        return self.score_outputs + self.box_outputs

    def problems(self, card: ModelCard) -> list[str]:
        """See `OutputSpec`."""
        checks = (
            *nms_checks(card, self.max_boxes, self.nms_iou),
            (
                min(self.strides, default=0) > 0 and self.bins > 0,
                "output.strides and output.bins must be whole numbers of 1 or more",
            ),
            (
                len(self.score_outputs) == len(self.box_outputs) == len(self.strides),
                "output.score_outputs and output.box_outputs must name one tensor for each of output.strides",
            ),
        )
        return [sentence for holds, sentence in checks if not holds]

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """See `OutputSpec`."""
        cells = [rows * columns for rows, columns in grid_sizes(self.strides, card.picture.size)]
        scores: dict[str, Shape] = {
            name: (None, count, len(card.classes))
            for name, count in zip(self.score_outputs, cells, strict=True)
        }
        edges: dict[str, Shape] = {
            name: (None, count, BOX * self.bins) for name, count in zip(self.box_outputs, cells, strict=True)
        }
        return scores | edges

    def decode(self, tensors: Tensors, input_size: tuple[int, int]) -> tuple[F32, F32]:
        """See `DetectionOutput`.

        Each edge's distance from the cell's centre is the mean of a distribution over `bins` distances
        (Li et al., "Generalized Focal Loss", NeurIPS 2020).
        """
        scores = np.concatenate([tensors[name] for name in self.score_outputs], axis=1)
        sizes = grid_sizes(self.strides, input_size)
        levels = [
            _level_boxes(tensors[name], size, stride, self.bins)
            for name, size, stride in zip(self.box_outputs, sizes, self.strides, strict=True)
        ]
        return np.concatenate(levels, axis=1), scores

    def select(
        self,
        boxes: F32,
        scores: F32,
        threshold: float,
        picture: tuple[int, int],  # noqa: ARG002 (not needed)
    ) -> Detections:
        """See `DetectionOutput`."""
        return select_boxes(boxes, scores, threshold, iou=self.nms_iou, most=self.max_boxes)


def grid_sizes(strides: tuple[int, ...], input_size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return rows and columns of each level's grid."""
    height, width = input_size
    return [(-(-height // stride), -(-width // stride)) for stride in strides]


def _level_boxes(logits: F32, size: tuple[int, int], stride: int, bins: int) -> F32:
    """Turn one level's (N, A, 4 * bins) logits into (N, A, 4) boxes, xyxy, pixels of the network's input."""
    height, width = size
    shape = (*logits.shape[:2], BOX, bins)
    with np.errstate(invalid="ignore"):  # inf - inf makes NaN, which the detector refuses
        exponentials = np.exp(logits.reshape(shape) - logits.reshape(shape).max(axis=-1, keepdims=True))
    mean_bin = exponentials @ np.arange(bins, dtype=np.float32) / exponentials.sum(axis=-1)
    rows, columns = np.divmod(np.arange(height * width), width)
    centers = (np.stack([columns, rows], axis=1) + CELL_OFFSET) * stride
    distances = mean_bin * stride
    boxes: F32 = np.concatenate([centers - distances[..., :2], centers + distances[..., 2:]], axis=-1)
    return boxes.astype(np.float32)
