"""Modulated deformable convolution of 3 x 3 (DCNv2, arXiv 1811.11168)."""

from __future__ import annotations

from typing import Final

from paddle import Tensor, nn
from paddle.nn import functional
from paddle.vision.ops import deform_conv2d

SIDE: Final = 3
TOLD: Final = 3 * SIDE**2
"""Numbers for each place: how far each tap moves down and right, and how much it weighs."""


def deformed(conv: nn.Conv2D, x: Tensor, told: Tensor, stride: int = 1) -> Tensor:
    """Apply a convolution whose taps move and have weights.

    Args:
        conv: 3 x 3, with padding of 1.
        x: (N, c_in, H, W).
        told: (N, TOLD, H / stride, W / stride), raw.
        stride: of the convolution.

    Returns:
        (N, c_out, H / stride, W / stride).
    """
    offsets = told[:, : 2 * SIDE**2]  # dy, dx of the first tap, then of the next, row by row
    weights = functional.sigmoid(told[:, 2 * SIDE**2 :])
    return deform_conv2d(x, offsets, conv.weight, conv.bias, stride=stride, padding=1, mask=weights)
