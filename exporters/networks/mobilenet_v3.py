"""MobileNetV3 (arXiv 1905.02244), large and small, as a backbone.

Structure and names: PaddleDetection ppdet/modeling/backbones/mobilenet_v3.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import Activation, ConvNorm, identity
from pose_onnx.exporters.networks.lcnet import SqueezeExcite, widen

STEM: Final = 16
FIRST: Final = 2
"""Number in the name of the first block; "conv1" is the stem."""
GATE_SLOPE: Final = 0.2
"""Of the hard sigmoid in squeeze and excitation; other networks have 1/6."""


class Block(NamedTuple):
    """One inverted residual block; channels before the width factor."""

    kernel: int
    middle: int
    c_out: int
    excite: bool
    activation: Activation
    stride: int = 1


_RELU, _SWISH = functional.relu, functional.hardswish
BLOCKS: Final[Mapping[str, tuple[Block, ...]]] = MappingProxyType(
    {
        "large": (
            Block(3, 16, 16, excite=False, activation=_RELU),
            Block(3, 64, 24, excite=False, activation=_RELU, stride=2),
            Block(3, 72, 24, excite=False, activation=_RELU),
            Block(5, 72, 40, excite=True, activation=_RELU, stride=2),
            Block(5, 120, 40, excite=True, activation=_RELU),
            Block(5, 120, 40, excite=True, activation=_RELU),
            Block(3, 240, 80, excite=False, activation=_SWISH, stride=2),
            Block(3, 200, 80, excite=False, activation=_SWISH),
            Block(3, 184, 80, excite=False, activation=_SWISH),
            Block(3, 184, 80, excite=False, activation=_SWISH),
            Block(3, 480, 112, excite=True, activation=_SWISH),
            Block(3, 672, 112, excite=True, activation=_SWISH),
            Block(5, 672, 160, excite=True, activation=_SWISH, stride=2),
            Block(5, 960, 160, excite=True, activation=_SWISH),
            Block(5, 960, 160, excite=True, activation=_SWISH),
        ),
        "small": (
            Block(3, 16, 16, excite=True, activation=_RELU, stride=2),
            Block(3, 72, 24, excite=False, activation=_RELU, stride=2),
            Block(3, 88, 24, excite=False, activation=_RELU),
            Block(5, 96, 40, excite=True, activation=_SWISH, stride=2),
            Block(5, 240, 40, excite=True, activation=_SWISH),
            Block(5, 240, 40, excite=True, activation=_SWISH),
            Block(5, 120, 48, excite=True, activation=_SWISH),
            Block(5, 144, 48, excite=True, activation=_SWISH),
            Block(5, 288, 96, excite=True, activation=_SWISH, stride=2),
            Block(5, 576, 96, excite=True, activation=_SWISH),
            Block(5, 576, 96, excite=True, activation=_SWISH),
        ),
    }
)


def _conv_norm(
    c_in: int, c_out: int, kernel: int, activation: Activation, *, stride: int = 1, groups: int = 1
) -> ConvNorm:
    return ConvNorm(c_in, c_out, kernel, stride=stride, groups=groups, activation=activation, norm_name="bn")


class InvertedResidual(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """To more channels, depthwise, and back to few, with a shortcut where the shapes allow."""

    def __init__(self, c_in: int, block: Block) -> None:
        super().__init__()
        middle, activation = block.middle, block.activation
        self.expand_conv = _conv_norm(c_in, middle, 1, activation)
        self.bottleneck_conv = _conv_norm(
            middle, middle, block.kernel, activation, stride=block.stride, groups=middle
        )
        if block.excite:
            self.mid_se = SqueezeExcite(middle, GATE_SLOPE)
        self.linear_conv = _conv_norm(middle, block.c_out, 1, identity)
        self._excite = block.excite
        self._shortcut = block.stride == 1 and c_in == block.c_out

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        inner = self.bottleneck_conv(self.expand_conv(x))
        inner = self.linear_conv(self.mid_se(inner) if self._excite else inner)
        return x + inner if self._shortcut else inner


class MobileNetV3(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> what some blocks give.

    Args:
        size: "large" or "small".
        features: numbers of these blocks, as in their names; `channels` lists theirs.
        width: factor on all channels.
    """

    def __init__(self, size: str, features: Sequence[int], width: float = 1.0) -> None:
        super().__init__()
        channels = widen(STEM, width)
        self.conv1 = _conv_norm(3, channels, 3, functional.hardswish, stride=2)
        self._count = len(BLOCKS[size])
        self._features = tuple(features)
        found = []
        for number, block in enumerate(BLOCKS[size], FIRST):
            scaled = block._replace(middle=widen(block.middle, width), c_out=widen(block.c_out, width))
            self.add_sublayer(f"conv{number}", InvertedResidual(channels, scaled))
            channels = scaled.c_out
            if number in features:
                found.append(channels)
        self.channels = tuple(found)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> features of `channels`, highest resolution first."""
        x, found = self.conv1(image), []
        for number in range(FIRST, FIRST + self._count):
            x = getattr(self, f"conv{number}")(x)
            if number in self._features:
                found.append(x)
        return found
