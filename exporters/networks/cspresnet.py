"""CSPRepResNet, the backbone of PP-YOLOE (arXiv 2203.16250).

Structure: PaddleDetection ppdet/modeling/backbones/cspresnet.py, with the large stem.
"""

from __future__ import annotations

from typing import Final

from paddle import Tensor, concat, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import Activation, ConvNorm, identity

STEM_CHANNELS: Final = 64
STAGES: Final = ((128, 3), (256, 6), (512, 6), (1024, 3))
"""Channels and blocks of each stage, before the width and depth factors."""
FEATURES: Final = 3
"""The outputs of this many last stages are the detector's features: strides 8, 16, 32."""


def scaled(number: int, factor: float) -> int:
    """Multiply a number of channels or blocks by a factor; the result is at least 1."""
    return max(round(number * factor), 1)


def conv_norm(
    c_in: int, c_out: int, kernel: int, *, stride: int = 1, activation: Activation = functional.silu
) -> ConvNorm:
    """Convolution, batch norm and SiLU, the building block of PP-YOLOE."""
    return ConvNorm(c_in, c_out, kernel, stride=stride, activation=activation, norm_name="bn")


class RepVgg(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """A 3x3 and a 1x1 convolution side by side (arXiv 2101.03697).

    The graph pass `merge_branches` merges them into one convolution.

    Args:
        channels: of input and output.
        alpha: whether the 1x1 branch has a learned factor (PP-YOLOE+).
    """

    def __init__(self, channels: int, *, alpha: bool) -> None:
        super().__init__()
        self.conv1 = conv_norm(channels, channels, 3, activation=identity)
        self.conv2 = conv_norm(channels, channels, 1, activation=identity)
        self._has_alpha = alpha
        if alpha:
            self.alpha = self.create_parameter([1], default_initializer=nn.initializer.Constant(1.0))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        side = self.conv2(x)
        return functional.silu(self.conv1(x) + (self.alpha * side if self._has_alpha else side))


class BasicBlock(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """3x3 convolution and RepVGG block, with or without a shortcut."""

    def __init__(self, channels: int, *, shortcut: bool, alpha: bool = False) -> None:
        super().__init__()
        self.conv1 = conv_norm(channels, channels, 3)
        self.conv2 = RepVgg(channels, alpha=alpha)
        self._shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        y = self.conv2(self.conv1(x))
        return x + y if self._shortcut else y


class EffectiveSE(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Channel attention by one convolution (arXiv 1911.06667)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2D(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, channels weighted."""
        return x * functional.hardsigmoid(self.fc(functional.adaptive_avg_pool2d(x, 1)))


class Stage(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Halves the resolution; half of the channels go through the blocks (arXiv 1911.11929)."""

    def __init__(self, c_in: int, c_out: int, blocks: int, *, alpha: bool) -> None:
        super().__init__()
        middle = (c_in + c_out) // 2
        half = middle // 2
        self.conv_down = conv_norm(c_in, middle, 3, stride=2)
        self.conv1 = conv_norm(middle, half, 1)
        self.conv2 = conv_norm(middle, half, 1)
        self.blocks = nn.Sequential(*(BasicBlock(half, shortcut=True, alpha=alpha) for _ in range(blocks)))
        self.attn = EffectiveSE(middle)
        self.conv3 = conv_norm(middle, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / 2, W / 2)."""
        x = self.conv_down(x)
        x = concat([self.conv1(x), self.blocks(self.conv2(x))], axis=1)
        return self.conv3(self.attn(x))


class CSPResNet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> features at strides 8, 16, 32.

    Args:
        depth: factor for the number of blocks.
        width: factor for the channels; the attribute `channels` lists those of the features.
        alpha: see `RepVgg`.
    """

    def __init__(self, depth: float, width: float, *, alpha: bool) -> None:
        super().__init__()
        stem = scaled(STEM_CHANNELS, width)
        self.stem = nn.Sequential(
            ("conv1", conv_norm(3, stem // 2, 3, stride=2)),
            ("conv2", conv_norm(stem // 2, stem // 2, 3)),
            ("conv3", conv_norm(stem // 2, stem, 3)),
        )
        channels = [stem, *(scaled(c, width) for c, _ in STAGES)]
        blocks = [scaled(n, depth) for _, n in STAGES]
        sizes = zip(channels[:-1], channels[1:], blocks, strict=True)
        self.stages = nn.Sequential(*(Stage(*size, alpha=alpha) for size in sizes))
        self.channels = tuple(channels[-FEATURES:])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> features of `channels`, highest resolution first."""
        x = self.stem(image)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features[-FEATURES:]
