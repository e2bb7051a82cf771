"""A picture of a network's input size, and the way back."""

from __future__ import annotations

from typing import NamedTuple

from pose_onnx.core.arrays import F32, Image


class Resized(NamedTuple):
    """A resized picture.

    Attributes:
        pixels: (h, w, 3) uint8, the colour order of the picture.
        scale: (4,) float32, image pixels per input pixel, for x, y, x, y of a box.
        offset: (4,) float32, where the input's origin is in image pixels, likewise.
    """

    pixels: Image
    scale: F32
    offset: F32
