"""How much the pixels of a box differ: in a box of a single colour there is nobody."""

from __future__ import annotations

from typing import Final

import numpy as np

from pose_onnx.core.arrays import F32, F64, Image
from pose_onnx.core.opencv import cv2

_SAMPLES: Final = 64
"""Approximate number of pixels sampled in each direction of a box; a smaller box is used completely."""


def color_spread(image: Image, boxes: F32) -> F64:
    """Return how much the colours in each box differ.

    Args:
        image: (H, W, 3) uint8.
        boxes: (N, 4), xyxy, image pixels; for a box outside the image, the nearest pixels count.

    Returns:
        (N,) standard deviations of the pixel values, 0 to 127.5, of the channel that varies most.
    """
    limits = np.array(image.shape[1::-1])
    low = np.floor(boxes[:, :2]).clip(0, limits - 1).astype(int)
    high = np.maximum(np.ceil(boxes[:, 2:]).clip(0, limits).astype(int), low + 1)
    steps = np.maximum((high - low) // _SAMPLES, 1)
    spread = np.empty(len(boxes))
    for index, ((x1, y1), (x2, y2), (across, down)) in enumerate(zip(low, high, steps, strict=True)):
        _means, deviations = cv2.meanStdDev(image[y1:y2:down, x1:x2:across])
        spread[index] = deviations.max()
    return spread
