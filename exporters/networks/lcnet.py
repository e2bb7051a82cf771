"""PP-LCNet (arXiv 2109.15099), the backbone of the LCNet PicoDets."""

from __future__ import annotations

from typing import Final, NamedTuple

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import Activation, ConvNorm

CHANNEL_MULTIPLE: Final = 8
STEM_CHANNELS: Final = 16
SQUEEZE: Final = 4
"""A squeeze-and-excitation block divides the channels by this in its bottleneck."""
GATE_SLOPE: Final = 0.1666667
"""Paddle's default slope of the hard sigmoid in squeeze-and-excitation."""


class Block(NamedTuple):
    """One depthwise separable block; channels before the width factor."""

    kernel: int
    c_in: int
    c_out: int
    stride: int
    excite: bool


BLOCKS: Final[dict[str, tuple[Block, ...]]] = {
    "blocks2": (Block(3, 16, 32, 1, excite=False),),
    "blocks3": (Block(3, 32, 64, 2, excite=False), Block(3, 64, 64, 1, excite=False)),
    "blocks4": (Block(3, 64, 128, 2, excite=False), Block(3, 128, 128, 1, excite=False)),
    "blocks5": (
        Block(3, 128, 256, 2, excite=False),
        *(Block(5, 256, 256, 1, excite=False) for _ in range(5)),
    ),
    "blocks6": (Block(5, 256, 512, 2, excite=True), Block(5, 512, 512, 1, excite=True)),
}
FEATURES: Final = ("blocks4", "blocks5", "blocks6")
"""The block groups whose outputs a detector uses: strides 8, 16 and 32."""


def widen(channels: int, width: float) -> int:
    """Multiply `channels` by `width`, round to a multiple of 8, and never lose more than a tenth."""
    target = channels * width
    rounded = int(target + CHANNEL_MULTIPLE / 2) // CHANNEL_MULTIPLE * CHANNEL_MULTIPLE
    rounded = max(CHANNEL_MULTIPLE, rounded)
    largest_loss = 0.9
    return rounded + CHANNEL_MULTIPLE if rounded < largest_loss * target else rounded


class SqueezeExcite(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Channel attention with a hard sigmoid (arXiv 1709.01507).

    Args:
        channels: of input and output.
        slope: of the hard sigmoid.
    """

    def __init__(self, channels: int, slope: float = GATE_SLOPE) -> None:
        super().__init__()
        self.conv1 = nn.Conv2D(channels, channels // SQUEEZE, 1)
        self.conv2 = nn.Conv2D(channels // SQUEEZE, channels, 1)
        self._slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, channels weighted."""
        weight = functional.relu(self.conv1(functional.adaptive_avg_pool2d(x, 1)))
        return x * functional.hardsigmoid(self.conv2(weight), self._slope)


class DepthwiseSeparable(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Depthwise and pointwise convolution, each followed by an activation."""

    def __init__(self, block: Block, activation: Activation = functional.hardswish) -> None:
        super().__init__()
        self.dw_conv = ConvNorm(
            block.c_in,
            block.c_in,
            block.kernel,
            stride=block.stride,
            groups=block.c_in,
            activation=activation,
            norm_name="bn",
        )
        if block.excite:
            self.se = SqueezeExcite(block.c_in)
        self.pw_conv = ConvNorm(block.c_in, block.c_out, 1, activation=activation, norm_name="bn")
        self._excite = block.excite

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        x = self.dw_conv(x)
        return self.pw_conv(self.se(x) if self._excite else x)


class LCNet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> features at strides 8, 16, 32.

    Args:
        width: factor for all channels; the attribute `channels` lists those of the features.
        activation: of every layer.
    """

    def __init__(self, width: float, activation: Activation = functional.hardswish) -> None:
        super().__init__()
        self.conv1 = ConvNorm(
            3, widen(STEM_CHANNELS, width), 3, stride=2, activation=activation, norm_name="bn"
        )
        for name, blocks in BLOCKS.items():
            scaled = [b._replace(c_in=widen(b.c_in, width), c_out=widen(b.c_out, width)) for b in blocks]
            self.add_sublayer(name, nn.Sequential(*[DepthwiseSeparable(b, activation) for b in scaled]))
        self.channels = tuple(widen(BLOCKS[name][-1].c_out, width) for name in FEATURES)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> features of `channels`, highest resolution first."""
        x = self.conv1(image)
        features = []
        for name in BLOCKS:
            x = getattr(self, name)(x)
            if name in FEATURES:
                features.append(x)
        return features
