"""The boxes found in one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import BOX, F32, check_shape


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The boxes found in one image, best first.

    Attributes:
        boxes: (N, 4) float32, xyxy, image pixels.
        scores: (N,) float32, 0 to 1.
        labels: (N,) int64, index into the model card's classes.
    """

    boxes: F32
    scores: F32
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.boxes)
        check_shape("boxes", self.boxes, (count, BOX))
        check_shape("scores", self.scores, (count,))
        check_shape("labels", self.labels, (count,))

    def __len__(self) -> int:
        return len(self.boxes)
