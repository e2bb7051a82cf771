"""Pixels to network input: scaling, mean and standard deviation as one table of 256 entries a channel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.opencv import cv2


def normalize(
    pixels_bgr: Image, *, color: str, mean: tuple[float, ...], std: tuple[float, ...], out: F32
) -> None:
    """Normalise an image into a planar tensor.

    A pixel has 256 values, so the arithmetic is done once for each, in the order and precision of
    PaddleDetection (deploy/python/preprocess.py, NormalizeImage): the result is equal to the last bit.

    Args:
        pixels_bgr: (h, w, 3) uint8, BGR.
        color: Channel order of the tensor, "rgb" or "bgr".
        mean: For each channel in that order, subtracted after scaling pixels to 0..1.
        std: For each channel in that order, the divisor after that.
        out: (3, h, w) float32, written. Each row is contiguous.
    """
    planes = cv2.split(pixels_bgr)
    if color == "rgb":
        planes = planes[::-1]
    for plane, table, target in zip(planes, _table(mean, std), out, strict=True):
        cv2.LUT(plane, table, dst=target)


@lru_cache(maxsize=16)
def _table(mean: tuple[float, ...], std: tuple[float, ...]) -> F32:
    values = np.arange(256, dtype=np.float32) * np.float32(1 / 255.0)
    centered = (values - np.array(mean)[:, None]).astype(np.float32)
    table: F32 = (centered / np.array(std)[:, None]).astype(np.float32)
    table.flags.writeable = False
    return table
