"""Fix: the aspect ratio is kept, and the picture's centre goes to the middle of the input."""

from __future__ import annotations

import numpy as np

from pose_onnx.core.arrays import Image
from pose_onnx.core.warping import warp
from pose_onnx.resizing._resized import Resized, scaled_about


def fix(image: Image, size: tuple[int, int]) -> Resized:
    """Resize to height and width by one factor, bilinearly; black where the picture ends.

    As CenterNet does at a fixed size (src/lib/detectors/base_detector.py, pre_process). The factor makes the
    picture's longer side as long as the input is wide, whatever the input's height: of an input that is wider
    than high, a high picture loses its top and bottom. Pixels are those of OpenCV 4, with which the networks
    were trained (`pose_onnx.core.warping`); OpenCV 5 rounds every tenth of them to the grey level beside.
    """
    height, width = image.shape[:2]
    factor = size[1] / max(height, width)
    to_input = np.array(
        [[factor, 0, (size[1] - width * factor) / 2], [0, factor, (size[0] - height * factor) / 2]]
    )
    pixels = warp(image, to_input, np.array([0, 0, width, height]), size)
    return scaled_about(pixels, 1 / factor, (width / 2, height / 2))
