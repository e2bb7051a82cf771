"""DarkNet-53, the backbone of YOLOv3 (arXiv 1804.02767).

Structure and names: PaddleDetection ppdet/modeling/backbones/darknet.py.
"""

from __future__ import annotations

from typing import Final

from paddle import Tensor, nn

from pose_onnx.exporters.networks._yolo_blocks import conv_norm

STEM: Final = 32
DEPTHS: Final = (1, 2, 8, 8, 4)
"""Blocks of each stage; a stage has twice the channels of the one before it."""
FEATURES: Final = 3
"""So many last stages are the detector's features: strides 8, 16, 32."""


class Block(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """A pointwise convolution to half the channels, one of 3 x 3 back, and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv_norm(channels, channels // 2, 1)
        self.conv2 = conv_norm(channels // 2, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return x + self.conv2(self.conv1(x))


class Stage(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Blocks at one resolution. In checkpoints each but the first has its stage's name again."""

    def __init__(self, index: int, channels: int, depth: int) -> None:
        super().__init__()
        self.basicblock0 = Block(channels)
        self._later = [
            self.add_sublayer(f"stage.{index}.{place}", Block(channels)) for place in range(1, depth)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        x = self.basicblock0(x)
        for block in self._later:
            x = block(x)
        return x


class Downsample(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Half the size, twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_bn_layer = conv_norm(channels, 2 * channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 2 * C, H / 2, W / 2)."""
        return self.conv_bn_layer(x)


class DarkNet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> features at strides 8, 16, 32, of `channels`."""

    def __init__(self) -> None:
        super().__init__()
        widths = [STEM << stage for stage in range(1, len(DEPTHS) + 1)]
        self.conv0 = conv_norm(3, STEM, 3)
        self.downsample0 = Downsample(STEM)
        self._stages = [
            self.add_sublayer(f"stage.{index}", Stage(index, width, depth))
            for index, (width, depth) in enumerate(zip(widths, DEPTHS, strict=True))
        ]
        self._downsamples = [
            self.add_sublayer(f"stage.{index}.downsample", Downsample(width))
            for index, width in enumerate(widths[:-1])
        ]
        self.channels = tuple(widths[-FEATURES:])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> features of `channels`, highest resolution first."""
        x = self.downsample0(self.conv0(image))
        features = [self._stages[0](x)]
        for downsample, stage in zip(self._downsamples, self._stages[1:], strict=True):
            features.append(stage(downsample(features[-1])))
        return features[-FEATURES:]
