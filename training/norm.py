"""Layers that use the compiled kernels where they can."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from training import kernels

MODULES: Final[dict[str, type[nn.Module]]] = {"none": nn.Identity, "relu": nn.ReLU, "hardswish": nn.Hardswish}


class BatchNorm(nn.BatchNorm2d):
    """Batch norm (eps 1e-5, momentum 0.1, as in Paddle) followed by an activation."""

    def __init__(self, channels: int, act: str = "none") -> None:
        """Normalise `channels`, then apply `act`: none, relu or hardswish."""
        super().__init__(channels)
        self.act = act

    def activation(self) -> nn.Module:
        """The activation alone."""
        return MODULES[self.act]()

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate: (N,C,H,W) to the same shape."""
        if self.training and kernels.usable(x):
            return kernels.norm_act(x, self, self.weight, self.bias)
        x = super().forward(x)
        if self.act == "none":
            return x
        return functional.relu(x) if self.act == "relu" else functional.hardswish(x)


class DepthwiseConv(nn.Conv2d):
    """Bias-free depthwise convolution of stride 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: (N,C,H,W) to the same shape."""
        if self.training and self.bias is None and kernels.usable(x):
            return kernels.depthwise(x, self.weight)
        return super().forward(x)


def interleave(first: Tensor, second: Tensor) -> Tensor:
    """Channel shuffle with two groups: channels of `first` and `second`, alternating.

    Works on pixels, because training runs in the channels-last layout. The usual
    view-and-transpose over (N,C,H,W) would silently change the layout (4x slower on a CPU).
    """
    if kernels.usable(first) and kernels.pixel_rows(first) and kernels.pixel_rows(second):
        return kernels.interleave(first, second)
    pairs = torch.stack([first.permute(0, 2, 3, 1), second.permute(0, 2, 3, 1)], -1)
    return pairs.flatten(3).permute(0, 3, 1, 2)
