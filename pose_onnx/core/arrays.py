"""Aliases of the arrays that the package passes around, and the letters and frames of their axes.

Letters for axes, the same everywhere: N instances, K keypoints, C classes, H and W image size,
h and w heatmap size. Coordinates are x, y; a variable that holds some says in which frame it is:
`points_image` (pixels of the whole image), `points_heatmap` (cells of the heatmap), and so on. In every
frame an integer coordinate is the centre of a pixel.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose_onnx.errors import InputError

Image: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, 0 to 255; the colour order is stated where it is used."""

F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]

BOX: Final = 4
POINT: Final = 2


def check_shape(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    """Refuse a field of a result whose shape is not what the other fields make it.

    Raises:
        InputError: Naming both shapes.
    """
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}; the other fields make it {shape}")
