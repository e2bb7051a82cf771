"""CSP-PAN: PicoDet's path aggregation neck made of cross stage partial layers (arXiv 2111.00902).

Structure: PaddleDetection ppdet/modeling/necks/csp_pan.py with four feature levels.
"""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, concat, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import Activation, ConvNorm, DepthwisePointwise
from pose_onnx.exporters.networks.pan import KERNEL, PathAggregation


def _pointwise(c_in: int, c_out: int, activation: Activation) -> ConvNorm:
    return ConvNorm(c_in, c_out, 1, activation=activation, norm_name="bn")


class Bottleneck(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Pointwise, depthwise, pointwise, without a shortcut ("DarknetBottleneck" of PaddleDetection)."""

    def __init__(self, channels: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = _pointwise(channels, channels, activation)
        self.conv2 = DepthwisePointwise(channels, channels, KERNEL, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return self.conv2(self.conv1(x))


class CSPLayer(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Cross stage partial layer (arXiv 1911.11929): half of the channels go through a bottleneck.

    Args:
        channels: of the output; the input has twice as many.
        activation: of every layer.
    """

    def __init__(self, channels: int, activation: Activation) -> None:
        super().__init__()
        half = channels // 2
        self.main_conv = _pointwise(2 * channels, half, activation)
        self.short_conv = _pointwise(2 * channels, half, activation)
        self.final_conv = _pointwise(2 * half, channels, activation)
        self.blocks = nn.Sequential(Bottleneck(half, activation))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2 * channels, H, W) -> (N, channels, H, W)."""
        short = self.short_conv(x)
        return self.final_conv(concat([self.blocks(self.main_conv(x)), short], axis=1))


class CSPPAN(PathAggregation):
    """Features at strides 8, 16, 32 -> features at strides 8, 16, 32, 64.

    Args:
        c_in: channels of the input features, highest resolution first.
        channels: of every output feature.
        activation: of every layer.
    """

    def __init__(
        self, c_in: Sequence[int], channels: int, activation: Activation = functional.hardswish
    ) -> None:
        super().__init__(c_in, channels, lambda width: CSPLayer(width, activation), activation)
