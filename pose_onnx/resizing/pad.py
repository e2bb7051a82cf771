"""Pad: the aspect ratio is kept, the picture is at the top left, and the rest of the input is 0."""

from __future__ import annotations

import numpy as np

from pose_onnx.core.arrays import BOX, Image
from pose_onnx.core.opencv import cv2
from pose_onnx.resizing._resized import Resized


def pad(image: Image, size: tuple[int, int]) -> Resized:
    """Resize by the largest factor with which the picture fits into height and width.

    INTER_CUBIC, as PaddleDetection deploys its two-stage detectors (deploy/python/preprocess.py, Resize with
    keep_ratio). It then pads to multiples of 32 px; here, to the input's size. The factor is given to OpenCV
    instead of the size: the size is rounded, and boxes are divided by the factor.
    """
    height, width = image.shape[:2]
    factor = min(size[0] / height, size[1] / width)
    # A picture of a few pixels by thousands still has a row or column left.
    thin = (
        None
        if factor * min(height, width) >= 1
        else (max(int(factor * width), 1), max(int(factor * height), 1))
    )
    pixels: Image = cv2.resize(image, thin, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return Resized(pixels, np.full(BOX, 1 / factor, np.float32), np.zeros(BOX, np.float32))
