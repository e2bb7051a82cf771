"""ESNet, the enhanced ShuffleNet of the first PicoDets (arXiv 2111.00902).

Structure: PaddleDetection ppdet/modeling/backbones/esnet.py. Underscores in attribute names come from its
checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from paddle import Tensor, concat, nn, split
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import ConvNorm, channel_shuffle
from pose_onnx.exporters.networks.lcnet import SqueezeExcite, widen

KERNEL: Final = 3
STEM_CHANNELS: Final = 24
"""Channels of the first convolution, whatever the width."""


class Stage(NamedTuple):
    """Blocks at one resolution, the first of which halves it; channels before the width factor."""

    name: int
    channels: int
    blocks: int


STAGES: Final = (Stage(2, 128, 3), Stage(3, 256, 7), Stage(4, 512, 3))
"""The output of each is a feature of the detector: strides 8, 16 and 32."""


def _conv_norm(c_in: int, c_out: int, kernel: int, **options: Any) -> ConvNorm:
    return ConvNorm(c_in, c_out, kernel, conv_name="_conv", norm_name="_batch_norm", **options)


def _pointwise(c_in: int, c_out: int) -> ConvNorm:
    return _conv_norm(c_in, c_out, 1, activation=functional.hardswish)


def _depthwise(channels: int, stride: int) -> ConvNorm:
    return _conv_norm(channels, channels, KERNEL, stride=stride, groups=channels)


class Unit(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Half of the channels are unchanged, half go through a ghost-like branch; then both are shuffled.

    Args:
        channels: of input and output.
        middle: channels inside the branch.
    """

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        self._conv_pw = _pointwise(channels // 2, middle // 2)
        self._conv_dw = _depthwise(middle // 2, 1)
        self._se = SqueezeExcite(middle)
        self._conv_linear = _pointwise(middle, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        kept, branch = split(x, 2, axis=1)
        branch = self._conv_pw(branch)
        branch = self._se(concat([branch, self._conv_dw(branch)], axis=1))
        return channel_shuffle(concat([kept, self._conv_linear(branch)], axis=1))


class DownUnit(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two branches that halve the resolution, and a depthwise separable convolution over both.

    Args:
        c_in: input channels.
        c_out: output channels.
        middle: channels inside the second branch, before its resolution is halved.
    """

    def __init__(self, c_in: int, c_out: int, middle: int) -> None:
        super().__init__()
        self._conv_dw_1 = _depthwise(c_in, 2)
        self._conv_linear_1 = _pointwise(c_in, c_out // 2)
        self._conv_pw_2 = _pointwise(c_in, middle // 2)
        self._conv_dw_2 = _depthwise(middle // 2, 2)
        self._se = SqueezeExcite(middle // 2)
        self._conv_linear_2 = _pointwise(middle // 2, c_out // 2)
        self._conv_dw_mv1 = _conv_norm(c_out, c_out, KERNEL, groups=c_out, activation=functional.hardswish)
        self._conv_pw_mv1 = _pointwise(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / 2, W / 2)."""
        first = self._conv_linear_1(self._conv_dw_1(x))
        second = self._conv_linear_2(self._se(self._conv_dw_2(self._conv_pw_2(x))))
        return self._conv_pw_mv1(self._conv_dw_mv1(concat([first, second], axis=1)))


class ESNet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> features at strides 8, 16, 32.

    Args:
        width: factor for the channels of the stages; the attribute `channels` lists the results.
        ratios: for each block of all stages, its inner channels as a share of its stage's.
    """

    def __init__(self, width: float, ratios: Sequence[float]) -> None:
        super().__init__()
        self._conv1 = _conv_norm(3, STEM_CHANNELS, KERNEL, stride=2, activation=functional.hardswish)
        self.channels = tuple(widen(stage.channels, width) for stage in STAGES)
        self._names = [[f"{stage.name}_{i + 1}" for i in range(stage.blocks)] for stage in STAGES]
        remaining = iter(ratios)
        c_in = STEM_CHANNELS
        for names, channels in zip(self._names, self.channels, strict=True):
            first, *others = [(name, widen(channels, next(remaining))) for name in names]
            self.add_sublayer(first[0], DownUnit(c_in, channels, first[1]))
            for name, middle in others:
                self.add_sublayer(name, Unit(channels, middle))
            c_in = channels

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> features of `channels`, highest resolution first."""
        x = functional.max_pool2d(self._conv1(image), KERNEL, stride=2, padding=KERNEL // 2)
        features = []
        for names in self._names:
            for name in names:
                x = getattr(self, name)(x)
            features.append(x)
        return features
