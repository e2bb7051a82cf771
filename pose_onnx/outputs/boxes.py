"""Boxes and scores that are decoded inside the network, as in every detector that this package exports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from pose_onnx.cards.schema import check_types
from pose_onnx.core.arrays import BOX, F32
from pose_onnx.core.boxes import end_inside
from pose_onnx.core.nms import gaussian_decay, linear_decay, matrix_nms, select_boxes
from pose_onnx.detections import Detections
from pose_onnx.outputs._spec import Shape, Tensors, nms_checks

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard


@dataclass(frozen=True, slots=True)
class BoxOutput:
    """Two tensors: `boxes` (N, A, 4), xyxy in pixels of the network's input, and `scores` (N, A, C).

    Attributes:
        nms_iou: Two boxes of one class with a higher IoU are the same object.
        max_boxes: Maximum number of boxes kept (the best ones).
        nms: How overlapping boxes are handled: a name in `SELECTORS`.
        sigma: Of the Gaussian in "matrix_gaussian"; a larger value lowers overlapping boxes more.
        ends_inside: Boxes are clipped to the picture's last pixels before overlaps are computed.
        strides: Input pixels per cell of each level of the network's head, finest first. Used by exporters.
        bins: Number of bins in an edge's distribution in the head; bin i stands for i strides. Used by
            exporters.
    """

    kind: ClassVar[str] = "boxes"
    task: ClassVar[str] = "detect"

    nms_iou: float = 0.6
    max_boxes: int = 100
    nms: str = "hard"
    sigma: float = 2.0
    ends_inside: bool = False
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
            *nms_checks(card, self.max_boxes, self.nms_iou),
            (self.nms in SELECTORS, f"output.nms is {self.nms!r}; it must be one of {list(SELECTORS)}"),
            (self.sigma > 0, f"output.sigma is {self.sigma}; it must be above 0"),
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

    def select(self, boxes: F32, scores: F32, threshold: float, picture: tuple[int, int]) -> Detections:
        """See `DetectionOutput`."""
        whole = end_inside(boxes, picture) if self.ends_inside else boxes
        return SELECTORS[self.nms](whole, scores, threshold, self)


def _hard(boxes: F32, scores: F32, threshold: float, spec: BoxOutput) -> Detections:
    return select_boxes(boxes, scores, threshold, iou=spec.nms_iou, most=spec.max_boxes)


def _matrix_gaussian(boxes: F32, scores: F32, threshold: float, spec: BoxOutput) -> Detections:
    return matrix_nms(boxes, scores, threshold, decay=gaussian_decay(spec.sigma), most=spec.max_boxes)


def _matrix_linear(boxes: F32, scores: F32, threshold: float, spec: BoxOutput) -> Detections:
    return matrix_nms(boxes, scores, threshold, decay=linear_decay, most=spec.max_boxes)


SELECTORS: Final[Mapping[str, Callable[[F32, F32, float, BoxOutput], Detections]]] = MappingProxyType(
    {"hard": _hard, "matrix_gaussian": _matrix_gaussian, "matrix_linear": _matrix_linear}
)
"""How overlapping boxes are handled: they are removed, or their scores are lowered."""
