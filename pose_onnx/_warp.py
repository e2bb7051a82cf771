"""Resample a person out of an image: the same pixels with every version of OpenCV.

`cv2.warpAffine` changed its arithmetic between OpenCV 4 and 5 (up to 5 grey levels on a photo). What it did
until 4 is to compute source coordinates in fixed point and to hand them to `cv2.remap`, which still does
what it always did. So the coordinates are computed here: equal to the last bit to OpenCV 4, with which the
networks were trained and PaddleDetection is deployed. A crop is never turned, so columns and rows have
their coordinates apart from each other.
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
        image_to_input: (2, 3) float64, image pixels to pixels of the result: scale and shift only.
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
    unit = 1 << _COORDINATE_BITS
    limit = _MAX_COORDINATE * unit
    (scale_x, _, shift_x), (_, scale_y, shift_y) = to_source
    rows, columns = (np.arange(side) for side in size)
    along_x = np.rint(scale_x * columns * unit).clip(-limit, limit)
    x_cells, x_weights = _split(along_x + np.rint(shift_x * unit).clip(-limit // 2, limit // 2))
    y_cells, y_weights = _split(np.rint((scale_y * rows + shift_y) * unit).clip(-limit // 2, limit // 2))
    # x and y of a pixel are written as one number of twice the width: half the writes.
    pairs = _pairs(x_cells, axis=0)[None, :] | _pairs(y_cells, axis=1)[:, None]
    weights = x_weights[None, :] + (y_weights << _WEIGHT_BITS)[:, None]
    return pairs.view(np.int16).reshape(*size, 2), weights


def _split(coordinates: F64) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Round coordinates, in units of `_COORDINATE_BITS`, to whole pixels and the steps between two."""
    half = 1 << (_COORDINATE_BITS - _WEIGHT_BITS - 1)
    places = (coordinates.astype(np.int32) + half) >> (_COORDINATE_BITS - _WEIGHT_BITS)
    # remap's coordinates are 16 bits wide; what saturates there is outside of the image anyway.
    cells = (places >> _WEIGHT_BITS).clip(np.iinfo(np.int16).min, np.iinfo(np.int16).max)
    return cells.astype(np.int16), (places & ((1 << _WEIGHT_BITS) - 1)).astype(np.uint16)


def _pairs(cells: NDArray[np.int16], axis: int) -> NDArray[np.int32]:
    """Return pairs of int16, `cells` as x (axis 0) or y and 0 as the other, as int32 of the same bytes."""
    pairs = np.zeros((len(cells), 2), np.int16)
    pairs[:, axis] = cells
    return pairs.view(np.int32).ravel()
