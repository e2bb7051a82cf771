"""Lite-HRNet's conditional channel weighting (arXiv 2104.06403, section 3.2).

Layers have the names of PaddleDetection's ppdet/modeling/backbones/lite_hrnet.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import Activation, ConvNorm, channel_shuffle

CROSS_SQUEEZE: Final = 8
"""The number of channels of all branches is divided by this in the bottleneck that computes their weights."""
SPATIAL_SQUEEZE: Final = 4
"""The same for one branch."""


class CrossWeighting(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Weights for the pixels of every branch, from all branches at the lowest resolution."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        total = sum(channels)
        self.conv1 = ConvNorm(total, total // CROSS_SQUEEZE, 1, activation=functional.relu)
        self.conv2 = ConvNorm(total // CROSS_SQUEEZE, total, 1, activation=functional.sigmoid)
        self._channels = list(channels)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch, each half as large as the one before -> the same shapes."""
        factors = [2**halvings for halvings in reversed(range(len(branches)))]
        small = [
            functional.avg_pool2d(x, factor, factor) for x, factor in zip(branches, factors, strict=True)
        ]
        weights = paddle.split(self.conv2(self.conv1(paddle.concat(small, axis=1))), self._channels, axis=1)
        return [
            x * functional.interpolate(weight, scale_factor=factor, mode="nearest")
            for x, weight, factor in zip(branches, weights, factors, strict=True)
        ]


class BiasedConv(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Pointwise convolution with a bias, and its activation."""

    def __init__(self, c_in: int, c_out: int, activation: Activation) -> None:
        super().__init__()
        self.conv = nn.Conv2D(c_in, c_out, 1)
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        return self._activation(self.conv(x))


class SpatialWeighting(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """A weight for each channel of a branch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = BiasedConv(channels, channels // SPATIAL_SQUEEZE, functional.relu)
        self.conv2 = BiasedConv(channels // SPATIAL_SQUEEZE, channels, functional.sigmoid)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return x * self.conv2(self.conv1(functional.adaptive_avg_pool2d(x, 1)))


class WeightingBlock(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Half of each branch's channels are unchanged, half are weighted; then both halves are interleaved."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        halves = [width // 2 for width in channels]
        self.cross_resolution_weighting = CrossWeighting(halves)
        self.depthwise_convs = nn.LayerList([ConvNorm(half, half, 3, groups=half) for half in halves])
        self.spatial_weighting = nn.LayerList([SpatialWeighting(half) for half in halves])

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch, each half as large as the one before -> the same shapes."""
        kept, worked = zip(*[x.chunk(2, axis=1) for x in branches], strict=True)
        weighted = self.cross_resolution_weighting(list(worked))
        layers = zip(self.depthwise_convs, self.spatial_weighting, weighted, strict=True)
        outs = [weight(depthwise(x)) for depthwise, weight, x in layers]
        return [
            channel_shuffle(paddle.concat([through, out], axis=1))
            for through, out in zip(kept, outs, strict=True)
        ]
