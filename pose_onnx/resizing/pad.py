"""Pad: the aspect ratio is kept, and the input is as large as the picture, up to the next multiples."""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.core.arrays import BOX, Image
from pose_onnx.core.opencv import cv2
from pose_onnx.resizing._resized import Resized

MULTIPLE: Final = 32
"""Sides of the input are multiples of this, as a pyramid's coarsest features need it."""


def pad(image: Image, size: tuple[int, int]) -> Resized:
    """Resize by the largest factor with which the sides fit: the shorter one into the shorter of `size`.

    INTER_CUBIC, as PaddleDetection deploys its two-stage detectors (deploy/python/preprocess.py, Resize with
    keep_ratio, and PadStride). The factor is given to OpenCV instead of the size: the size is rounded, and
    boxes are divided by the factor.
    """
    height, width = image.shape[:2]
    factor = min(min(size) / min(height, width), max(size) / max(height, width))
    # A picture of a few pixels by thousands still has a row or column left.
    thin = (
        None
        if factor * min(height, width) >= 1
        else (max(int(factor * width), 1), max(int(factor * height), 1))
    )
    pixels: Image = cv2.resize(image, thin, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return Resized(pixels, np.full(BOX, 1 / factor, np.float32), np.zeros(BOX, np.float32), MULTIPLE)
