"""A picture of a network's input size, and the mapping back to the original."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pose_onnx.core.arrays import BOX, F32, Image


class Resized(NamedTuple):
    """A resized picture.

    Attributes:
        pixels: (h, w, 3) uint8, in the colour order of the picture.
        scale: (4,) float32, image pixels per input pixel, for x, y, x, y of a box.
        offset: (4,) float32, the input's origin in image pixels, for x, y, x, y of a box.
        multiple: Both sides of the input are multiples of this. What is right of the pixels and below them
            is 0 after normalising.
    """

    pixels: Image
    scale: F32
    offset: F32
    multiple: int = 1

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the input."""
        height, width = (next_multiple(side, self.multiple) for side in self.pixels.shape[:2])
        return height, width


def next_multiple(side: int, multiple: int) -> int:
    """Return the smallest multiple that is not below a side."""
    return -(-side // multiple) * multiple


def scaled_about(pixels: Image, scale: float, center: tuple[float, float]) -> Resized:
    """Describe a picture that was resized by one factor, with a given point at the input's centre.

    Args:
        pixels: (h, w, 3) uint8, of the input's size.
        scale: Image pixels per input pixel.
        center: x and y, in image pixels, of the point at (w / 2, h / 2) of the input.
    """
    height, width = pixels.shape[:2]
    origin = center[0] - scale * width / 2, center[1] - scale * height / 2
    return Resized(pixels, np.full(BOX, scale, np.float32), np.array(2 * origin, np.float32))
