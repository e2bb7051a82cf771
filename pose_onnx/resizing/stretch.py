"""Stretch: the aspect ratio is not kept."""

from __future__ import annotations

import numpy as np

from pose_onnx.core.arrays import BOX, F32, Image
from pose_onnx.core.opencv import cv2
from pose_onnx.resizing._resized import Resized


def stretch(image: Image, size: tuple[int, int]) -> Resized:
    """Resize to height and width, each by its own factor.

    INTER_CUBIC, as PaddleDetection uses to train and deploy PicoDet (deploy/python/preprocess.py, Resize).
    """
    pixels: Image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC)
    height, width = image.shape[:2]
    scale: F32 = np.divide(
        np.array(2 * (width, height), np.float32), np.array(2 * size[::-1], np.float32), dtype=np.float32
    )
    return Resized(pixels, scale, np.zeros(BOX, np.float32))
