"""Resample a person out of an image: the same pixels with every version of OpenCV.

`cv2.warpAffine` changed its arithmetic between OpenCV 4 and 5 (up to 5 grey levels on a photo). What it did
until 4 is to compute source coordinates in fixed point and to hand them to `cv2.remap`, which still does
what it always did. So the coordinates are computed here: equal to the last bit to OpenCV 4, with which the
networks were trained and PaddleDetection is deployed. A crop is never turned, so columns and rows have
their coordinates apart from each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F64, Image
from pose_onnx.core.opencv import cv2

COORDINATE_BITS: Final = 10
"""Fractional bits of a source coordinate while it is summed up (OpenCV 4, imgwarp.cpp, AB_BITS)."""

WEIGHT_BITS: Final = 5
"""Fractional bits that choose the interpolation weights (OpenCV, INTER_BITS)."""

_FARTHEST: Final = 2**19 << COORDINATE_BITS
"""Source coordinates are cut to this, 2**19 pixels: far outside of any image, far inside of 32 bits."""


_INT16: Final = np.iinfo(np.int16).min, np.iinfo(np.int16).max


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
    return next(warp_all(image, image_to_input[None], region[None], size))


def warp_all(
    image: Image, image_to_input: F64, regions: NDArray[np.int64], size: tuple[int, int]
) -> Iterator[Image]:
    """Resample N regions of an image, one after the other; see `warp`.

    Args:
        image: (H, W, 3) uint8.
        image_to_input: (N, 2, 3) float64.
        regions: (N, 4).
        size: Height and width of a result, pixels.

    Returns:
        N times (h, w, 3) uint8.
    """
    (x_cells, x_weights), (y_cells, y_weights) = _source_coordinates(image_to_input, regions[:, :2], size)
    for person, (x0, y0, x1, y1) in enumerate(regions.tolist()):
        if x1 <= x0 or y1 <= y0:
            yield np.zeros((*size, 3), np.uint8)
            continue
        # What cv2.remap takes: (h, w, 2) int16 whole pixels and (h, w) uint16 indices of weights.
        cells = (x_cells[person] | y_cells[person]).view(np.int16).reshape(*size, 2)
        weights = x_weights[person] + y_weights[person]
        pixels: Image = cv2.remap(
            image[y0:y1, x0:x1], cells, weights, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        yield pixels


def _source_coordinates(
    maps: F64, starts: NDArray[np.int64], size: tuple[int, int]
) -> tuple[tuple[NDArray[np.int32], NDArray[np.uint16]], tuple[NDArray[np.int32], NDArray[np.uint16]]]:
    """Return whole pixels and weights: (N, 1, w) along x and (N, h, 1) along y, to be added up.

    x and y of a pixel are a pair of int16. It is kept as one int32 of the same bytes, with 0 for the other:
    half as many numbers to write.
    """
    unit = 1 << COORDINATE_BITS
    scales = maps[:, (0, 1), (0, 1)]
    # As cv2.invertAffineTransform rounds it.
    inverse = scales[:, ::-1] * (1 / (scales[:, :1] * scales[:, 1:]))
    shifts = -inverse * (maps[:, :, 2] + scales * starts)
    rows, columns = (np.arange(side) for side in size)
    along_x = _within(np.rint(inverse[:, :1] * columns * unit), _FARTHEST)
    along_x += _within(np.rint(shifts[:, :1] * unit), _FARTHEST // 2)
    along_y = _within(np.rint((inverse[:, 1:] * rows + shifts[:, 1:]) * unit), _FARTHEST // 2)
    x_cells, x_weights = _split(along_x)
    y_cells, y_weights = _split(along_y)
    return (
        (_pairs(x_cells, 0)[:, None, :], x_weights[:, None, :]),
        (_pairs(y_cells, 1)[:, :, None], (y_weights << np.uint16(WEIGHT_BITS))[:, :, None]),
    )


def _within(coordinates: F64, limit: int) -> F64:
    bounded: F64 = np.minimum(np.maximum(coordinates, -limit), limit)
    return bounded


def _split(coordinates: F64) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
    """Round coordinates, in units of `COORDINATE_BITS`, to whole pixels and the steps between two."""
    half = 1 << (COORDINATE_BITS - WEIGHT_BITS - 1)
    places = (coordinates.astype(np.int32) + half) >> (COORDINATE_BITS - WEIGHT_BITS)
    return places >> WEIGHT_BITS, (places & ((1 << WEIGHT_BITS) - 1)).astype(np.uint16)


def _pairs(cells: NDArray[np.int32], place: int) -> NDArray[np.int32]:
    """Return (N, side) cells as pairs of int16, x (place 0) or y, saturated: that far is outside anyway."""
    pairs = np.zeros((*cells.shape, 2), np.int16)
    pairs[..., place] = np.minimum(np.maximum(cells, _INT16[0]), _INT16[1])
    return pairs.view(np.int32)[..., 0]
