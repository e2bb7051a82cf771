"""Photos as RGB arrays: reading, resizing, warping."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # RGB, (H,W,3)


def read_rgb(file: Path) -> Image:
    """The photo.

    Raises:
        ValueError: when the file is no image.
    """
    image = cv2.imread(str(file))
    if image is None:
        raise ValueError(f"{file} is not an image that OpenCV reads; remove it from the folder")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def resize(image: Image, size: tuple[int, int], how: int) -> Image:
    """The image at `size` (width, height) with an interpolation of OpenCV."""
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def warp(image: Image, matrix: NDArray[np.float64], size: tuple[int, int], border: int = 0) -> Image:
    """The image under an affine map (2,3), bilinear, grey level `border` outside."""
    return np.asarray(
        cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(border,) * 3), np.uint8
    )
