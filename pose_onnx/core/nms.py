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


def soft_nms(
    boxes: F32, scores: F32, *, spread: float = 0.5, floor: float = 0.001
) -> tuple[NDArray[np.int64], F32]:
    """Lower the scores of boxes that better ones cover, instead of leaving them out.

    Gaussian soft non-maximum suppression (Bodla et al., "Soft-NMS", ICCV 2017): each box in turn, the best
    first, multiplies the scores of those after it by exp(-iou**2 / spread). As in the reference (CenterNet,
    src/lib/external/nms.pyx), a box from x1 to x2 covers the pixel at x2 too. There, boxes below the floor
    stay, behind the others and with scores that were never finished; here they are left out.

    Args:
        boxes: (N, 4) float32, xyxy, image pixels.
        scores: (N,) float32.
        spread: Sigma of the Gaussian.
        floor: Boxes whose score falls below this are left out.

    Returns:
        order: (M,) int64, indices of the boxes that stay, best first.
        scores: (M,) float32, their new scores.
    """
    overlaps = box_iou(*(boxes + np.array([0, 0, 1, 1], np.float32),) * 2)
    weights = np.exp(-(overlaps**2) / np.float32(spread))
    lowered = scores.copy()
    left = np.flatnonzero(lowered >= floor)
    order = []
    while len(left):
        best = left[lowered[left].argmax()]
        order.append(int(best))
        left = left[left != best]
        lowered[left] *= weights[best, left]
        left = left[lowered[left] >= floor]
    kept = np.array(order, np.int64)
    return kept, lowered[kept]


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
