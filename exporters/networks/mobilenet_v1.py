"""MobileNet, the first (arXiv 1704.04861), as a backbone.

Structure and names: PaddleDetection ppdet/modeling/backbones/mobilenet_v1.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import ConvNorm

STEM: Final = 32


class Block(NamedTuple):
    """A depthwise and a pointwise convolution."""

    name: str
    c_in: int
    c_out: int
    stride: int


BLOCKS: Final = (
    Block("conv2_1", 32, 64, 1),
    Block("conv2_2", 64, 128, 2),
    Block("conv3_1", 128, 128, 1),
    Block("conv3_2", 128, 256, 2),
    Block("conv4_1", 256, 256, 1),
    Block("conv4_2", 256, 512, 2),
    *(Block(f"conv5_{place}", 512, 512, 1) for place in range(1, 6)),
    Block("conv5_6", 512, 1024, 2),
    Block("conv6", 1024, 1024, 1),
)


def _conv_norm(c_in: int, c_out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> ConvNorm:
    return ConvNorm(
        c_in,
        c_out,
        kernel,
        stride=stride,
        groups=groups,
        activation=functional.relu,
        conv_name="_conv",
        norm_name="_batch_norm",
    )


class DepthwiseSeparable(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Depthwise and pointwise convolution, each normed, with ReLU."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self._depthwise_conv = _conv_norm(block.c_in, block.c_in, 3, stride=block.stride, groups=block.c_in)
        self._pointwise_conv = _conv_norm(block.c_in, block.c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        return self._pointwise_conv(self._depthwise_conv(x))


class MobileNetV1(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> what some blocks give.

    Args:
        features: names of these blocks; `channels` lists theirs.
    """

    def __init__(self, features: Sequence[str]) -> None:
        super().__init__()
        self.conv1 = _conv_norm(3, STEM, 3, stride=2)
        for block in BLOCKS:
            self.add_sublayer(block.name, DepthwiseSeparable(block))
        self._features = tuple(features)
        self.channels = tuple(block.c_out for block in BLOCKS if block.name in features)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> features of `channels`, highest resolution first."""
        x, found = self.conv1(image), []
        for block in BLOCKS:
            x = getattr(self, block.name)(x)
            if block.name in self._features:
                found.append(x)
        return found
