"""From a person's box to the affine map of the network's crop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOX_GROWTH: Final = 1.25  # both sides, after the aspect ratio is fixed (PaddleDetection's evaluation)

Box = tuple[float, float, float, float]  # x1, y1, x2, y2


def crop_matrix(
    box: Box, size: tuple[int, int], *, margin: float = 1.0, angle: float = 0.0
) -> NDArray[np.float64]:
    """Affine map (2,3) from image pixels to the pixels of the crop around `box`.

    Args:
        box: Corners in image pixels.
        size: Width and height of the crop in pixels.
        margin: How much wider than the network's crop.
        angle: Rotation about the centre of the box, in radians.
    """
    x1, y1, x2, y2 = box
    width, height = size
    scale = min(width / (x2 - x1), height / (y2 - y1)) / (BOX_GROWTH * margin)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    shift = np.array([width / 2, height / 2]) - turn @ centre
    return np.hstack([turn, shift[:, None]])
