"""Colour histograms of people, enough to tell apart two people who passed each other."""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.core.arrays import F32, F64, Image
from pose_onnx.core.opencv import cv2

_THUMBNAIL: Final = (24, 12)  # rows and columns that a person is reduced to
_SAMPLES: Final = 3  # pixels read per thumbnail pixel and axis: reading all pixels is slow
_MIDDLE: Final = 0.5  # of a box's width: the rest is mostly background
_PARTS: Final = 2  # above, below
_BINS: Final = 8  # of each colour channel, each shared between neighbours
LOOK_LENGTH: Final = _PARTS * 3 * _BINS


def looks_of(image: Image, boxes: F32) -> F64:
    """Describe the colours of people.

    Args:
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4), xyxy, image pixels.

    Returns:
        (N, D) float64, each row adding up to 1; zeros for a box outside the image.
    """
    result = np.zeros((len(boxes), LOOK_LENGTH))
    for index, (x1, y1, x2, y2) in enumerate(boxes.astype(np.float64)):
        inset = (x2 - x1) * (1 - _MIDDLE) / 2
        left, top = (max(0, round(side)) for side in (x1 + inset, y1))
        patch = image[top : max(0, round(y2)), left : max(0, round(x2 - inset))]
        if patch.size:
            result[index] = _histograms(patch)
    return result


def _histograms(patch: Image) -> F64:
    step_y, step_x = (
        max(1, side // (_SAMPLES * small)) for side, small in zip(patch.shape[:2], _THUMBNAIL, strict=True)
    )
    samples = np.ascontiguousarray(patch[::step_y, ::step_x])
    thumbnail = cv2.resize(samples, _THUMBNAIL[::-1], interpolation=cv2.INTER_AREA)
    colors = cv2.cvtColor(thumbnail, cv2.COLOR_BGR2LAB).reshape(_PARTS, -1, 3)
    places = colors.astype(np.float64) / 255 * (_BINS - 1)  # in bins
    weights = np.maximum(1 - np.abs(places[..., None] - np.arange(_BINS)), 0)  # shared by two neighbours
    histograms: F64 = weights.sum(axis=1).ravel() / (weights.size / _BINS)
    return histograms


def alike(looks: F64, others: F64) -> F64:
    """Return (N, M): the intersection of (N, D) and (M, D) histograms, 0 to 1."""
    common: F64 = np.minimum(looks[:, None], others[None]).sum(axis=-1)
    return common
