"""Keep: the picture is not resized, but put into the middle of a larger input."""

from __future__ import annotations

import numpy as np

from pose_onnx.core.arrays import Image
from pose_onnx.errors import InputError
from pose_onnx.resizing._resized import Resized, scaled_about


def keep(image: Image, size: tuple[int, int]) -> Resized:
    """Put a picture into the middle of height and width, black around it.

    This is what CenterNet does when it keeps the resolution (src/lib/detectors/base_detector.py,
    pre_process), with the size from `kept_size`; any other size that the picture fits into works too.

    Raises:
        InputError: The picture is larger than the given size.
    """
    sides = np.array(image.shape[:2])
    if (sides > size).any():
        raise InputError(
            f"the picture has {sides[1]} x {sides[0]} pixels, more than the network's input of {size[1]} x "
            f"{size[0]}, and the model's card forbids resizing; make the picture smaller, or use a model "
            "with a larger input"
        )
    center = sides // 2
    top, left = (np.array(size) // 2 - center).tolist()
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[top : top + sides[0], left : left + sides[1]] = image
    return scaled_about(pixels, 1.0, (int(center[1]), int(center[0])))


def kept_size(image_size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return the input height and width that CenterNet uses to keep a picture's resolution.

    Args:
        image_size: Height and width of the picture, pixels.
        multiple: Both sides must be multiples of this: 128 for the hourglass network, 32 for the others.

    Returns:
        For each side, the next multiple strictly above it: 512 becomes 544.
    """
    height, width = ((side // multiple + 1) * multiple for side in image_size)
    return height, width
