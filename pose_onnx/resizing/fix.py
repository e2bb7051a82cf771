"""Fix: the aspect ratio is kept, and the picture's centre goes to the middle of the input."""

from __future__ import annotations

import numpy as np

from pose_onnx.core.arrays import Image
from pose_onnx.core.warping import warp
from pose_onnx.resizing._resized import Resized, scaled_about


def fix(image: Image, size: tuple[int, int]) -> Resized:
    """Resize to height and width by one factor, bilinearly; the area outside the picture is black.

    This is what CenterNet does at a fixed size (src/lib/detectors/base_detector.py, pre_process). The factor
    scales the picture's longer side to the input's width, whatever the input's height: if the input is wider
    than high, a tall picture loses its top and bottom. Pixels are those of OpenCV 4, with which the networks
    were trained (`pose_onnx.core.warping`); OpenCV 5 rounds every tenth pixel to the neighbouring grey level.
    """
    height, width = image.shape[:2]
    factor = size[1] / max(height, width)
    to_input = np.array(
        [[factor, 0, (size[1] - width * factor) / 2], [0, factor, (size[0] - height * factor) / 2]]
    )
    pixels = warp(image, to_input, np.array([0, 0, width, height]), size)
    return scaled_about(pixels, 1 / factor, (width / 2, height / 2))
