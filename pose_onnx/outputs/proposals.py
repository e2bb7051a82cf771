"""Boxes of a two-stage detector: one box for each region and class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pose_onnx.cards.schema import check_types
from pose_onnx.core.arrays import BOX, F32
from pose_onnx.core.nms import select_boxes
from pose_onnx.detections import Detections
from pose_onnx.outputs._spec import Shape, Tensors, nms_checks

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard


@dataclass(frozen=True, slots=True)
class ProposalOutput:
    """Two tensors: `boxes` (N, R, C, 4), xyxy in input pixels, and `scores` (N, R, C).

    R, the number of regions that the network looks at twice, depends on the picture; C is that of classes.

    Attributes:
        nms_iou: Two boxes of one class with a higher IoU are the same object.
        max_boxes: Maximum number of boxes kept (the best ones).
    """

    kind: ClassVar[str] = "proposals"
    task: ClassVar[str] = "detect"

    nms_iou: float = 0.5
    max_boxes: int = 100

    def __post_init__(self) -> None:
        check_types(self, "the card's output")

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """See `OutputSpec`."""
        return ("boxes", "scores")

    def problems(self, card: ModelCard) -> list[str]:
        """See `OutputSpec`."""
        checks = nms_checks(card, self.max_boxes, self.nms_iou)
        return [sentence for holds, sentence in checks if not holds]

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """See `OutputSpec`."""
        classes = len(card.classes)
        return {"boxes": (None, None, classes, BOX), "scores": (None, None, classes)}

    def decode(self, tensors: Tensors, input_size: tuple[int, int]) -> tuple[F32, F32]:  # noqa: ARG002 (not needed)
        """See `DetectionOutput`: a row for each region and class, with a score for that class alone."""
        boxes, scores = tensors["boxes"], tensors["scores"]
        images, _, classes = scores.shape
        alone = scores[..., None] * np.eye(classes, dtype=np.float32)
        return boxes.reshape(images, -1, BOX), alone.reshape(images, -1, classes)

    def select(
        self,
        boxes: F32,
        scores: F32,
        threshold: float,
        picture: tuple[int, int],  # noqa: ARG002 (not needed)
    ) -> Detections:
        """See `DetectionOutput`."""
        return select_boxes(boxes, scores, threshold, iou=self.nms_iou, most=self.max_boxes)
