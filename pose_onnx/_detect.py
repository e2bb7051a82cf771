"""A detector's input, and its outputs read as boxes: functions on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx._card import BoxSpec, ModelCard
from pose_onnx._cv import cv2
from pose_onnx._geometry import box_iou
from pose_onnx._normalize import normalize
from pose_onnx._types import BOX, F32, Detections, Image

CELL_OFFSET: Final = 0.5
"""A cell's centre, in cells (PaddleDetection, ppdet/modeling/heads/pico_head.py)."""


_BLOCK: Final = 32
"""Boxes whose overlaps are computed at once: most pictures have no more above the threshold."""


def detector_input(image_bgr: Image, card: ModelCard, *, out: F32 | None = None) -> F32:
    """Resize an image to the network's input, aspect ignored, and normalise it.

    INTER_CUBIC, as PaddleDetection trains and deploys PicoDet (deploy/python/preprocess.py, Resize).

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        card: The detector's card.
        out: (1, 3, h, w) float32, C-contiguous: where to write it, instead of to a new array.

    Returns:
        (1, 3, h, w) float32.
    """
    height, width = card.input_size
    resized: Image = cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_CUBIC)
    tensor = np.empty((1, 3, height, width), np.float32) if out is None else out
    normalize(resized, card, out=tensor[0])
    return tensor


def decode_boxes(outputs: Mapping[str, F32], card: ModelCard) -> tuple[F32, F32]:
    """Read a detector's outputs.

    Args:
        outputs: The network's outputs by name, for N images.
        card: The detector's card.

    Returns:
        boxes_input: (N, A, 4) float32, xyxy, pixels of the network's input.
        scores: (N, A, C) float32, probabilities.
    """
    if card.box.heads == "decoded":
        return outputs["boxes"], outputs["scores"]
    scores = np.concatenate([outputs[name] for name in card.box.score_outputs], axis=1)
    distributions = [outputs[name] for name in card.box.box_outputs]
    levels = [
        _distribution_boxes(values, stride, card)
        for values, stride in zip(distributions, card.box.strides, strict=True)
    ]
    return np.concatenate(levels, axis=1), scores


def _distribution_boxes(logits: F32, stride: int, card: ModelCard) -> F32:
    """Turn one level's (N, A, 4 * bins) logits into (N, A, 4) boxes, xyxy, pixels of the network's input.

    Each edge's distance from the cell's centre is the mean of a distribution over `bins` distances
    (Li et al., "Generalized Focal Loss", NeurIPS 2020).
    """
    height, width = (-(-side // stride) for side in card.input_size)
    shape = (*logits.shape[:2], BOX, card.box.bins)
    exponentials = np.exp(logits.reshape(shape) - logits.reshape(shape).max(axis=-1, keepdims=True))
    mean_bin = exponentials @ np.arange(card.box.bins, dtype=np.float32) / exponentials.sum(axis=-1)
    rows, columns = np.divmod(np.arange(height * width), width)
    centers = (np.stack([columns, rows], axis=1) + CELL_OFFSET) * stride
    distances = mean_bin * stride
    boxes: F32 = np.concatenate([centers - distances[..., :2], centers + distances[..., 2:]], axis=-1)
    return boxes.astype(np.float32)


def select_boxes(boxes: F32, scores: F32, spec: BoxSpec, threshold: float) -> Detections:
    """Keep the boxes above a threshold, and of those that overlap in a class the best.

    Hard non-maximum suppression. The threshold comes first: a box below it could only suppress boxes that
    are lower still. Intersection over union does not change when the axes are scaled, so the frame of
    `boxes` is the caller's choice.

    Args:
        boxes: (A, 4) float32, xyxy.
        scores: (A, C) float32.
        spec: Overlap and number that are kept.
        threshold: A score must be above, not at it.

    Returns:
        The survivors, best first, in the frame of `boxes`.
    """
    anchors, labels = np.divmod(np.flatnonzero(scores > threshold), scores.shape[1])
    order = np.argsort(-scores[anchors, labels], kind="stable")
    anchors, labels = anchors[order], labels[order]
    kept = _suppress(boxes[anchors], labels, spec)
    anchors, labels = anchors[kept], labels[kept]
    return Detections(
        boxes[anchors].astype(np.float32), scores[anchors, labels].astype(np.float32), labels.astype(np.int64)
    )


def _suppress(boxes: F32, labels: NDArray[np.int64], spec: BoxSpec) -> list[int]:
    """Return the indices of the boxes, best first, that no better one of their class covers."""
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left) and len(kept) < spec.max_boxes:
        best = left[:_BLOCK]
        covers = (box_iou(boxes[best], boxes[left]) > spec.nms_iou) & (labels[best, None] == labels[left])
        stays = np.ones(len(left), np.bool_)
        for place, index in enumerate(best.tolist()):
            if stays[place]:
                kept.append(index)
                stays &= ~covers[place]
        left = left[_BLOCK:][stays[_BLOCK:]]
    return kept[: spec.max_boxes]
