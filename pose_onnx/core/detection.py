"""A detector's input, and its outputs read as boxes: functions on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import BOX, F32, Image
from pose_onnx.core.normalizing import normalize
from pose_onnx.core.opencv import cv2

CELL_OFFSET: Final = 0.5
"""A cell's centre, in cells (PaddleDetection, ppdet/modeling/heads/pico_head.py)."""


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
