"""Aliases of the arrays that the package passes around, and the letters and frames of their axes.

Letters for axes, the same everywhere: N instances, K keypoints, C classes, H and W image size,
h and w heatmap size. Coordinates are x, y; the name of a variable that holds coordinates says their frame:
`points_image` (pixels of the whole image), `points_heatmap` (cells of the heatmap), and so on. In every
frame an integer coordinate is the centre of a pixel.
"""

from __future__ import annotations

from operator import index as whole_number
from typing import Final, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose_onnx.errors import InputError

Image: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, 0 to 255; the colour order is stated where it is used."""

F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]

BOX: Final = 4
POINT: Final = 2

Pairs: TypeAlias = tuple[tuple[int, int], ...]
"""Index pairs of keypoints."""

Selection: TypeAlias = (
    SupportsIndex | slice | NDArray[np.bool_] | NDArray[np.int64] | list[int] | tuple[int, ...]
)
"""Which of N: a number (negative from the end), a slice, a mask, or numbers."""


def check_shape(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    """Refuse a field of a result whose shape does not match the other fields.

    Raises:
        InputError: Naming both shapes.
    """
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}, but the other fields require {shape}")


def rows(selection: Selection, count: int) -> slice | NDArray[np.bool_] | NDArray[np.int64]:
    """Return a selection out of N in a form that keeps the first axis of arrays.

    Raises:
        IndexError: A number below -N, or of N or more. Loops and `reversed` rely on it.
    """
    if isinstance(selection, slice):
        return selection
    if isinstance(selection, np.ndarray | list | tuple):
        chosen: NDArray[np.bool_] | NDArray[np.int64] = np.asarray(selection)
        return chosen if chosen.size else chosen.astype(np.int64)
    number = whole_number(selection)
    if not -count <= number < count:
        raise IndexError(f"index {number} was given, but there are only {count} items")
    start = number % count
    return slice(start, start + 1)
