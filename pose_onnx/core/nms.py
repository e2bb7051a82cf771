"""Non-maximum suppression: keep the best of the boxes that overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32
from pose_onnx.core.boxes import box_iou
from pose_onnx.detections import Detections

_BLOCK: Final = 32
"""Boxes whose overlaps are computed at once: most pictures have no more above the threshold."""
_ROWS: Final = 256
"""The same of Matrix NMS, which compares them with all: 25,200 boxes then take some 100 MB."""


def select_boxes(boxes: F32, scores: F32, threshold: float, *, iou: float, most: int) -> Detections:
    """Keep the boxes above a threshold, and only the best of those that overlap within a class.

    Hard non-maximum suppression. The threshold comes first: a box below it could only suppress boxes that
    are lower still. Intersection over union does not change when the axes are scaled, so the frame of
    `boxes` is the caller's choice.

    Args:
        boxes: (A, 4) float32, xyxy.
        scores: (A, C) float32.
        threshold: A score must be above, not at it.
        iou: Two boxes of one class that overlap by more are one object.
        most: At most this many are kept, the best first.

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
    """Lower the scores of boxes that overlap better ones, instead of removing them.

    Gaussian soft non-maximum suppression (Bodla et al., "Soft-NMS", ICCV 2017): each box in turn, the best
    first, multiplies the scores of those after it by exp(-iou**2 / spread). As in the reference (CenterNet,
    src/lib/external/nms.pyx), a box from x1 to x2 covers the pixel at x2 too. There, boxes below the floor
    stay at the end, with only partly lowered scores; here they are removed.

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


Decay = Callable[[F32, F32], F32]
"""What an overlap leaves of a score, from that overlap and the largest one that the better box has itself."""


def gaussian_decay(sigma: float) -> Decay:
    """Return exp(-sigma iou**2), compensated."""
    return lambda iou, largest: np.exp((largest**2 - iou**2) * np.float32(sigma))


def linear_decay(iou: F32, largest: F32) -> F32:
    """Return 1 - iou, compensated."""
    # A box that lies on a better one, of which nothing is left, leaves others as they are.
    return np.divide(1 - iou, 1 - largest, out=np.ones_like(iou), where=largest < 1)


def matrix_nms(boxes: F32, scores: F32, threshold: float, *, decay: Decay, most: int) -> Detections:
    """Lower the score of each box by the better boxes of its class that overlap it, all at once.

    Matrix NMS (Wang et al., "SOLOv2", NeurIPS 2020) as in Paddle's operator: a box is decayed by the better
    box that lowers its score most, and less if that one overlaps better boxes itself. Only better boxes
    count, so the threshold can be applied first, and is applied again at the end. A box from x1 to x2
    covers the pixel at x2 too, so unlike in `select_boxes` the frame of `boxes` counts.

    Args:
        boxes: (A, 4) float32, xyxy, image pixels.
        scores: (A, C) float32.
        threshold: A score must be above, not at it.
        decay: What an overlap leaves of a score.
        most: At most this many are kept, the best first.

    Returns:
        The boxes whose new scores are above the threshold, best first.
    """
    found = [(boxes[:0], np.zeros(0, np.float32), np.zeros(0, np.int64))]  # where there is no class at all
    for label, column in enumerate(scores.T):
        anchors = np.flatnonzero(column > threshold)
        anchors = anchors[np.argsort(-column[anchors], kind="stable")]
        lowered = column[anchors] * _decays(boxes[anchors], decay)
        kept = lowered > threshold
        found.append((boxes[anchors[kept]], lowered[kept], np.full(kept.sum(), label, np.int64)))
    kept_boxes, kept_scores, labels = (np.concatenate(part) for part in zip(*found, strict=True))
    best = np.argsort(-kept_scores, kind="stable")[:most]
    return Detections(kept_boxes[best].astype(np.float32), kept_scores[best].astype(np.float32), labels[best])


def _decays(boxes: F32, decay: Decay) -> F32:
    """Return for each of (M, 4) boxes, best first, what the better ones leave of its score."""
    largest = np.zeros(len(boxes), np.float32)
    left = np.ones(len(boxes), np.float32)
    for start in range(0, len(boxes), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(boxes)))
        end = start + len(rows)
        better = np.arange(end) < rows[:, None]
        overlaps = np.where(better, _pixel_iou(boxes[rows], boxes[:end]), 0)
        largest[rows] = overlaps.max(axis=1)
        left[rows] = np.where(better, decay(overlaps, largest[:end]), 1).min(axis=1)
    return left


def _pixel_iou(boxes: F32, others: F32) -> F32:
    """Return the (N, M) overlap of boxes that cover the pixels of their last edges too."""
    beyond = np.array([0, 0, 1, 1], np.float32)
    touch = (boxes[:, None, 2:] >= others[:, :2]) & (boxes[:, None, :2] <= others[:, 2:])
    result: F32 = box_iou(boxes + beyond, others + beyond) * touch.all(axis=2)
    return result


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
