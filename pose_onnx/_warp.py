"""Resample a person out of an image: the same pixels with every version of OpenCV.

`cv2.warpAffine` changed its arithmetic between OpenCV 4 and 5 (up to 5 grey levels on a photo). What it did
until 4 is to compute source coordinates in fixed point and to hand them to `cv2.remap`, which still does
what it always did. So the coordinates are computed here: equal to the last bit to OpenCV 4, with which the
networks were trained and PaddleDetection is deployed, at the price of three small integer arrays.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx._cv import cv2
from pose_onnx._types import F64, Image

_COORDINATE_BITS: Final = 10
"""Fractional bits of a source coordinate while it is summed up (OpenCV 4, imgwarp.cpp, AB_BITS)."""

_WEIGHT_BITS: Final = 5
"""Fractional bits that choose the interpolation weights (OpenCV, INTER_BITS)."""

_MAX_COORDINATE: Final = 2**19
"""Source coordinates are cut to this, pixels: far outside of any image, far inside of 32 bits."""


def warp(image: Image, image_to_input: F64, region: NDArray[np.int64], size: tuple[int, int]) -> Image:
    """Resample a region of an image, bilinearly; black where the region ends.

    Args:
        image: (H, W, 3) uint8.
        image_to_input: (2, 3) float64, image pixels to pixels of the result.
        region: x0, y0, x1, y1, image pixels, x1 and y1 excluded.
        size: Height and width of the result, pixels.

    Returns:
        (h, w, 3) uint8.
    """
    x0, y0, x1, y1 = (int(value) for value in region)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((*size, 3), np.uint8)
    from_region = image_to_input.copy()
    from_region[:, 2] += image_to_input[:, :2] @ (x0, y0)
    cells, weights = _source_coordinates(cv2.invertAffineTransform(from_region), size)
    pixels: Image = cv2.remap(
        image[y0:y1, x0:x1], cells, weights, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return pixels


def _source_coordinates(
    to_source: F64, size: tuple[int, int]
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Return the maps that `cv2.remap` takes: (h, w, 2) whole pixels and (h, w) indices of weights."""
    height, width = size
    unit = 1 << _COORDINATE_BITS
    half = 1 << (_COORDINATE_BITS - _WEIGHT_BITS - 1)
    limit = _MAX_COORDINATE * unit
    fine = 1 << _WEIGHT_BITS
    cells = np.empty((height, width, 2), np.int16)
    weights = np.zeros((height, width), np.int32)
    for axis in range(2):
        along_x = np.rint(to_source[axis, 0] * np.arange(width) * unit).clip(-limit, limit)
        along_y = np.rint((to_source[axis, 1] * np.arange(height) + to_source[axis, 2]) * unit)
        start = along_y.clip(-limit // 2, limit // 2).astype(np.int32) + half
        place = (start[:, None] + along_x.astype(np.int32)) >> (_COORDINATE_BITS - _WEIGHT_BITS)
        # remap's coordinates are 16 bits wide; what saturates there is outside of the image anyway.
        cells[:, :, axis] = (place >> _WEIGHT_BITS).clip(np.iinfo(np.int16).min, np.iinfo(np.int16).max)
        weights += (place & (fine - 1)) * fine**axis
    return cells, weights.astype(np.uint16)
