"""The boxes found in one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import BOX, F32, Selection, check_shape, rows

if TYPE_CHECKING:
    import supervision


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The boxes found in one image, best first.

    `detections[0]`, `detections[-1]`, slices, masks and index arrays select boxes; iteration gives them one
    by one. Each is `Detections` again.

    Attributes:
        boxes: (N, 4) float32, xyxy, image pixels.
        scores: (N,) float32, 0 to 1.
        labels: (N,) int64, index into `classes`.
        classes: Names of the classes of the model; empty if unknown.
    """

    boxes: F32
    scores: F32
    labels: NDArray[np.int64]
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.boxes)
        check_shape("boxes", self.boxes, (count, BOX))
        check_shape("scores", self.scores, (count,))
        check_shape("labels", self.labels, (count,))

    def to_dict(self) -> dict[str, Any]:
        """Return the boxes as a dict that `json.dumps` takes.

        Its one field `boxes` has for each `box` (x1, y1, x2, y2), `score`, `label`, and `class` if it is
        known. A number that is not finite is `None`.
        """
        from pose_onnx.formats import boxes_to_json  # noqa: PLC0415 (it is built on this module)

        return {"boxes": boxes_to_json(self)}

    def to_supervision(self) -> supervision.Detections:
        """Return the boxes as `supervision.Detections`, with names of classes in `data["class_name"]`.

        Raises:
            DependencyError: The `supervision` extra is not installed.
        """
        from pose_onnx.formats import boxes_to_supervision  # noqa: PLC0415 (it is built on this module)

        return boxes_to_supervision(self)

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Detections]:
        """Give each box as `Detections` of length 1."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: Selection) -> Detections:
        """Select boxes by number, slice, mask or index array."""
        chosen = rows(index, len(self))
        return replace(self, boxes=self.boxes[chosen], scores=self.scores[chosen], labels=self.labels[chosen])
