"""Resample a person out of an image: the same pixels with every version of OpenCV.

`cv2.warpAffine` changed its arithmetic between OpenCV 4 and 5 (up to 5 grey levels on a photo). Up to
OpenCV 4 it computed source coordinates in fixed point and passed them to `cv2.remap`, which has not
changed. So the coordinates are computed here, identical to the last bit to OpenCV 4, with which the
networks were trained and PaddleDetection is deployed. A crop is never rotated, so the coordinates of
columns and rows are independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F64, Image
from pose_onnx.core.opencv import cv2

COORDINATE_BITS: Final = 10
"""Fractional bits of a source coordinate while it is summed up (OpenCV 4, imgwarp.cpp, AB_BITS)."""

WEIGHT_BITS: Final = 5
"""Fractional bits that choose the interpolation weights (OpenCV, INTER_BITS)."""

_FARTHEST: Final = 2**19 << COORDINATE_BITS
"""Source coordinates are cut to this, 2**19 pixels: far outside of what `cv2.remap` takes, far inside of
32 bits."""

_FARTHEST_64: Final = 2**40 << COORDINATE_BITS
"""The same for larger regions, far inside of 64 bits."""

LARGEST_SIDE: Final = np.iinfo(np.int16).max - 1
"""Pixels of a side of an image that `cv2.remap` takes, at most."""
_INT16: Final = np.iinfo(np.int16).min, np.iinfo(np.int16).max

Int = TypeVar("Int", np.int32, np.int64)


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
        if max(x1 - x0, y1 - y0) > LARGEST_SIDE:
            yield _warp_large(image[y0:y1, x0:x1], image_to_input[person], (x0, y0), size)
            continue
        # What cv2.remap takes: (h, w, 2) int16 whole pixels and (h, w) uint16 indices of weights.
        cells = (x_cells[person] | y_cells[person]).view(np.int16).reshape(*size, 2)
        weights = x_weights[person] + y_weights[person]
        pixels: Image = cv2.remap(
            image[y0:y1, x0:x1], cells, weights, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        yield pixels


def _warp_large(pixels: Image, image_to_input: F64, start: tuple[int, int], size: tuple[int, int]) -> Image:
    """Resample a region that is larger than `cv2.remap` takes.

    Only two columns are read for each column of the result, and two rows for each row. They are copied into
    a small image first: the same pixels with the same weights.
    """
    height, width = size
    along_x, along_y = _fixed_point(image_to_input[None], np.array([start]), size, _FARTHEST_64)
    x, x_weights = _split(along_x[0].astype(np.int64))
    y, y_weights = _split(along_y[0].astype(np.int64))
    columns = np.stack([x, x + 1], axis=1).ravel()
    rows = np.stack([y, y + 1], axis=1).ravel()
    outside_x = (columns < 0) | (columns >= pixels.shape[1])
    outside_y = (rows < 0) | (rows >= pixels.shape[0])
    near = pixels[np.where(outside_y, 0, rows)[:, None], np.where(outside_x, 0, columns)]
    near[outside_y] = 0
    near[:, outside_x] = 0
    cells = np.stack(np.meshgrid(2 * np.arange(width), 2 * np.arange(height)), axis=-1).astype(np.int16)
    weights = x_weights + (y_weights << np.uint16(WEIGHT_BITS))[:, None]
    warped: Image = cv2.remap(near, cells, weights, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return warped


def _source_coordinates(
    maps: F64, starts: NDArray[np.int64], size: tuple[int, int]
) -> tuple[tuple[NDArray[np.int32], NDArray[np.uint16]], tuple[NDArray[np.int32], NDArray[np.uint16]]]:
    """Return whole pixels and weights: (N, 1, w) along x and (N, h, 1) along y, to be added up.

    x and y of a pixel are a pair of int16. It is kept as one int32 of the same bytes, with 0 for the other:
    half as many numbers to write.
    """
    along_x, along_y = _fixed_point(maps, starts, size, _FARTHEST)
    x_cells, x_weights = _split(along_x.astype(np.int32))
    y_cells, y_weights = _split(along_y.astype(np.int32))
    return (
        (_pairs(x_cells, 0)[:, None, :], x_weights[:, None, :]),
        (_pairs(y_cells, 1)[:, :, None], (y_weights << np.uint16(WEIGHT_BITS))[:, :, None]),
    )


def _fixed_point(
    maps: F64, starts: NDArray[np.int64], size: tuple[int, int], farthest: int
) -> tuple[F64, F64]:
    """Return (N, w) x and (N, h) y in the region, whole numbers in units of `COORDINATE_BITS`."""
    unit = 1 << COORDINATE_BITS
    scales = maps[:, (0, 1), (0, 1)]
    # As cv2.invertAffineTransform rounds it.
    inverse = scales[:, ::-1] * (1 / (scales[:, :1] * scales[:, 1:]))
    shifts = -inverse * (maps[:, :, 2] + scales * starts)
    rows, columns = (np.arange(side) for side in size)
    along_x = _within(np.rint(inverse[:, :1] * columns * unit), farthest)
    along_x += _within(np.rint(shifts[:, :1] * unit), farthest // 2)
    along_y = _within(np.rint((inverse[:, 1:] * rows + shifts[:, 1:]) * unit), farthest // 2)
    return along_x, along_y


def _within(coordinates: F64, limit: int) -> F64:
    bounded: F64 = np.minimum(np.maximum(coordinates, -limit), limit)
    return bounded


def _split(coordinates: NDArray[Int]) -> tuple[NDArray[Int], NDArray[np.uint16]]:
    """Round coordinates, in units of `COORDINATE_BITS`, to whole pixels and the steps between two."""
    half = 1 << (COORDINATE_BITS - WEIGHT_BITS - 1)
    places = (coordinates + half) >> (COORDINATE_BITS - WEIGHT_BITS)
    return places >> WEIGHT_BITS, (places & ((1 << WEIGHT_BITS) - 1)).astype(np.uint16)


def _pairs(cells: NDArray[np.int32], place: int) -> NDArray[np.int32]:
    """Return (N, side) cells as pairs of int16, x (place 0) or y, saturated: that far is outside anyway."""
    pairs = np.zeros((*cells.shape, 2), np.int16)
    pairs[..., place] = np.minimum(np.maximum(cells, _INT16[0]), _INT16[1])
    return pairs.view(np.int32)[..., 0]
