"""ShuffleNetV2 (arXiv 1807.11164) as a backbone.

Structure and names: PaddleDetection ppdet/modeling/backbones/shufflenet_v2.py.
"""

from __future__ import annotations

from typing import Any, Final

from paddle import Tensor, concat, nn, split
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import ConvNorm, channel_shuffle

STEM: Final = 24
STAGES: Final = ((2, 116, 4), (3, 232, 8), (4, 464, 4))
"""Number in the names, channels, and blocks, the first of which halves the size. Each gives a feature."""


def _conv_norm(c_in: int, c_out: int, kernel: int, **options: Any) -> ConvNorm:
    return ConvNorm(c_in, c_out, kernel, conv_name="_conv", norm_name="_batch_norm", **options)


def _pointwise(c_in: int, c_out: int) -> ConvNorm:
    return _conv_norm(c_in, c_out, 1, activation=functional.leaky_relu)


def _depthwise(channels: int, stride: int) -> ConvNorm:
    return _conv_norm(channels, channels, 3, stride=stride, groups=channels)


class Unit(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Half of the channels stay, half pass a branch; then both are shuffled."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self._conv_pw = _pointwise(half, half)
        self._conv_dw = _depthwise(half, 1)
        self._conv_linear = _pointwise(half, half)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        kept, worked = split(x, 2, axis=1)
        worked = self._conv_linear(self._conv_dw(self._conv_pw(worked)))
        return channel_shuffle(concat([kept, worked], axis=1))


class Downsample(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two branches that halve the size, shuffled."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        half = c_out // 2
        self._conv_dw_1 = _depthwise(c_in, 2)
        self._conv_linear_1 = _pointwise(c_in, half)
        self._conv_pw_2 = _pointwise(c_in, half)
        self._conv_dw_2 = _depthwise(half, 2)
        self._conv_linear_2 = _pointwise(half, half)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / 2, W / 2)."""
        first = self._conv_linear_1(self._conv_dw_1(x))
        second = self._conv_linear_2(self._conv_dw_2(self._conv_pw_2(x)))
        return channel_shuffle(concat([first, second], axis=1))


class ShuffleNetV2(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> features at strides 8, 16, 32, of `channels`."""

    def __init__(self) -> None:
        super().__init__()
        self._conv1 = _conv_norm(3, STEM, 3, stride=2, activation=functional.leaky_relu)
        channels, self._stages = STEM, []
        for number, width, count in STAGES:
            blocks = [Downsample(channels, width), *(Unit(width) for _ in range(1, count))]
            named = enumerate(blocks, start=1)
            self._stages.append([self.add_sublayer(f"{number}_{place}", block) for place, block in named])
            channels = width
        self.channels = tuple(width for _, width, _ in STAGES)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> features of `channels`, highest resolution first."""
        x = functional.max_pool2d(self._conv1(image), 3, stride=2, padding=1)
        features = []
        for stage in self._stages:
            for block in stage:
                x = block(x)
            features.append(x)
        return features
