"""Boxes around centres: the heads of PaddleDetection's CenterNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from pose_onnx.cards.schema import check_types
from pose_onnx.core.arrays import F32
from pose_onnx.core.people import find_peaks
from pose_onnx.detections import Detections
from pose_onnx.outputs._spec import Shape, Tensors, detector_checks

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard

HEADS: Final = ("centers", "sizes", "offsets")
"""Names of the tensors."""
PLANE: Final = 2
"""Number of channels of sizes (width, height) and of offsets (x, y)."""


@dataclass(frozen=True, slots=True)
class CenterOutput:
    """Three maps: `centers` (N, C, h, w), 0 to 1; `sizes` and `offsets` (N, 2, h, w), in cells.

    Attributes:
        stride: Input pixels per cell.
        max_boxes: Maximum number of boxes kept (the best ones). There is no NMS: two centres are two objects.
    """

    kind: ClassVar[str] = "centers"
    task: ClassVar[str] = "detect"

    stride: int = 4
    max_boxes: int = 100

    def __post_init__(self) -> None:
        check_types(self, "the card's output")

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """See `OutputSpec`."""
        return HEADS

    def problems(self, card: ModelCard) -> list[str]:
        """See `OutputSpec`."""
        checks = (
            *detector_checks(card, self.max_boxes),
            (self.stride > 0, f"output.stride is {self.stride}; it must be 1 or more"),
        )
        return [sentence for holds, sentence in checks if not holds]

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """See `OutputSpec`."""
        sides = tuple(side // self.stride for side in card.picture.size)
        return {name: (None, count, *sides) for name, count in zip(HEADS, channels_of(card), strict=True)}

    def decode(self, tensors: Tensors, input_size: tuple[int, int]) -> tuple[F32, F32]:  # noqa: ARG002 (not needed)
        """See `DetectionOutput`: one box for each cell, with a score where its centre is a peak.

        Scores that are not finite are kept, because they say that the network is broken.
        """
        centers, sizes, offsets = (tensors[name] for name in HEADS)
        images, classes, height, width = centers.shape
        peaks = np.stack(
            [np.where(find_peaks(maps) | ~np.isfinite(maps), maps, np.float32(0)) for maps in centers]
        )
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        middles = offsets + np.stack([columns, rows])
        boxes = np.concatenate([middles - sizes / 2, middles + sizes / 2], axis=1) * np.float32(self.stride)
        return (
            boxes.reshape(images, 2 * PLANE, -1).transpose(0, 2, 1),
            peaks.reshape(images, classes, -1).transpose(0, 2, 1),
        )

    def select(
        self,
        boxes: F32,
        scores: F32,
        threshold: float,
        picture: tuple[int, int],  # noqa: ARG002 (not needed)
    ) -> Detections:
        """See `DetectionOutput`."""
        cells, labels = np.nonzero(scores > threshold)
        best = np.argsort(-scores[cells, labels], kind="stable")[: self.max_boxes]
        cells, labels = cells[best], labels[best]
        return Detections(boxes[cells], scores[cells, labels], labels.astype(np.int64))


def channels_of(card: ModelCard) -> tuple[int, int, int]:
    """Return the number of channels of each head."""
    return len(card.classes), PLANE, PLANE
