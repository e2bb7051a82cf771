"""Non-maximum suppression: of the boxes that overlap, the best."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32
from pose_onnx.core.boxes import box_iou
from pose_onnx.detections import Detections

_BLOCK: Final = 32
"""Boxes whose overlaps are computed at once: most pictures have no more above the threshold."""


def select_boxes(boxes: F32, scores: F32, threshold: float, *, iou: float, most: int) -> Detections:
    """Keep the boxes above a threshold, and of those that overlap in a class the best.

    Hard non-maximum suppression. The threshold comes first: a box below it could only suppress boxes that
    are lower still. Intersection over union does not change when the axes are scaled, so the frame of
    `boxes` is the caller's choice.

    Args:
        boxes: (A, 4) float32, xyxy.
        scores: (A, C) float32.
        threshold: A score must be above, not at it.
        iou: Two boxes of one class that overlap by more are one object.
        most: The best so many are kept.

    Returns:
        The survivors, best first, in the frame of `boxes`.
    """
    anchors, labels = np.divmod(np.flatnonzero(scores > threshold), scores.shape[1])
    order = np.argsort(-scores[anchors, labels], kind="stable")
    anchors, labels = anchors[order], labels[order]
    kept = _suppress(boxes[anchors], labels, iou, most)
    anchors, labels = anchors[kept], labels[kept]
    return Detections(
        boxes[anchors].astype(np.float32), scores[anchors, labels].astype(np.float32), labels.astype(np.int64)
    )


def _suppress(boxes: F32, labels: NDArray[np.int64], iou: float, most: int) -> list[int]:
    """Return the indices of the boxes, best first, that no better one of their class covers."""
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left) and len(kept) < most:
        best = left[:_BLOCK]
        covers = (box_iou(boxes[best], boxes[left]) > iou) & (labels[best, None] == labels[left])
        stays = np.ones(len(left), np.bool_)
        for place, index in enumerate(best.tolist()):
            if stays[place]:
                kept.append(index)
                stays &= ~covers[place]
        left = left[_BLOCK:][stays[_BLOCK:]]
    return kept[:most]
