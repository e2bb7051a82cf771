"""Boxes and scores, decoded inside the network: every detector that this package exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pose_onnx.cards.schema import check_types
from pose_onnx.core.arrays import BOX, F32
from pose_onnx.core.nms import select_boxes
from pose_onnx.detections import Detections
from pose_onnx.outputs._spec import Shape, Tensors

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard


@dataclass(frozen=True, slots=True)
class BoxOutput:
    """Two tensors: `boxes` (N, A, 4), xyxy in pixels of the network's input, and `scores` (N, A, C).

    Attributes:
        nms_iou: Two boxes of one class that overlap by more are one object.
        max_boxes: The best so many boxes are kept.
        strides: Input pixels per cell of each level of the network's head, finest first. Exporters need it.
        bins: Number of bins of an edge's distribution in the head, bin i standing for i strides. Likewise.
    """

    kind: ClassVar[str] = "boxes"
    task: ClassVar[str] = "detect"

    nms_iou: float = 0.6
    max_boxes: int = 100
    strides: tuple[int, ...] = (8, 16, 32, 64)
    bins: int = 8

    def __post_init__(self) -> None:
        check_types(self, "the card's output")

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """See `OutputSpec`."""
        return ("boxes", "scores")

    def problems(self, card: ModelCard) -> list[str]:
        """See `OutputSpec`."""
        checks = (
            (bool(card.classes), "a detector must name its classes"),
            (0 <= self.nms_iou <= 1, f"output.nms_iou is {self.nms_iou}; it must be from 0 to 1"),
            (self.max_boxes > 0, f"output.max_boxes is {self.max_boxes}; it must be 1 or more"),
            (
                bool(self.strides) and min(self.strides) > 0,
                f"output.strides is {self.strides}; it must be whole numbers of 1 or more",
            ),
            (self.bins > 0, f"output.bins is {self.bins}; it must be 1 or more"),
        )
        return [sentence for holds, sentence in checks if not holds]

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """See `OutputSpec`."""
        return {"boxes": (None, None, BOX), "scores": (None, None, len(card.classes))}

    def decode(self, tensors: Tensors, input_size: tuple[int, int]) -> tuple[F32, F32]:  # noqa: ARG002 (not needed)
        """See `DetectionOutput`."""
        return tensors["boxes"], tensors["scores"]

    def select(self, boxes: F32, scores: F32, threshold: float) -> Detections:
        """See `DetectionOutput`."""
        return select_boxes(boxes, scores, threshold, iou=self.nms_iou, most=self.max_boxes)
