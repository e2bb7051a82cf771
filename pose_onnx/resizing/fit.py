"""Fit: a picture smaller than the input is not resized; a larger one is scaled down to the input."""

from __future__ import annotations

import numpy as np

from pose_onnx.core.arrays import Image
from pose_onnx.resizing._resized import Resized
from pose_onnx.resizing.fix import fix
from pose_onnx.resizing.keep import keep


def fit(image: Image, size: tuple[int, int]) -> Resized:
    """Put a picture into the middle of height and width, with `keep` if it fits and with `fix` if not.

    PaddleDetection's CenterNet keeps every picture's resolution and gives the network an input as large as
    the picture; an exported network has an input of one fixed size.
    """
    fits = bool((np.array(image.shape[:2]) <= size).all())
    return keep(image, size) if fits else fix(image, size)
