"""CenterNet on a stacked hourglass of 104 layers (arXiv 1904.07850; 1603.06937).

Structure and names: CenterNet src/lib/models/networks/large_hourglass.py. The heads of the first stack are
for training only, so they are not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._blocks import ConvNorm, conv
from pose_onnx.exporters.networks._people_heads import head_channels

WIDTHS: Final = (256, 256, 384, 384, 384, 512)
"""Channels at each level, the finest first; the last is the bottom."""
STEM: Final = 128
STACKS: Final = 2
UNITS: Final = 2
BOTTOM_UNITS: Final = 4
HEAD: Final = 256


class Residual(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv(c_in, c_out, 3, stride=stride)
        self.bn1 = nn.BatchNorm2D(c_out)
        self.conv2 = conv(c_out, c_out, 3)
        self.bn2 = nn.BatchNorm2D(c_out)
        same = stride == 1 and c_in == c_out
        self.skip = nn.Identity() if same else _pointwise(c_in, c_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.skip(x))


class Hourglass(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Downsamples and upsamples, with a branch at every level; contains the hourglass of the next level.

    Args:
        widths: channels at this level and those below.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        here, below, *_ = widths
        bottom = len(widths) == 2  # noqa: PLR2004 (this level and the last)
        self.up1 = nn.Sequential(*(Residual(here, here) for _ in range(UNITS)))
        self.low1 = nn.Sequential(Residual(here, below, 2), Residual(below, below))
        self.low2 = (
            nn.Sequential(*(Residual(below, below) for _ in range(BOTTOM_UNITS)))
            if bottom
            else Hourglass(widths[1:])
        )
        self.low3 = nn.Sequential(Residual(below, below), Residual(below, here))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        low = self.low3(self.low2(self.low1(x)))
        return self.up1(x) + functional.interpolate(low, scale_factor=2, mode="nearest")


class Convolution(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Convolution and ReLU. A separate layer: parameter names in checkpoints have one more part here."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2D(c_in, c_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        return functional.relu(self.conv(x))


class MultiPoseHourglass(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """One-pass network; sides of the image must be multiples of 128.

    Args:
        heads: channels of each head.
    """

    def __init__(self, heads: Mapping[str, int]) -> None:
        super().__init__()
        width = WIDTHS[0]
        self.pre = nn.Sequential(_conv_bn(3, STEM, 7, stride=2), Residual(STEM, width, 2))
        self.kps = nn.LayerList([Hourglass(WIDTHS) for _ in range(STACKS)])
        self.cnvs = nn.LayerList([_conv_bn(width, width, 3) for _ in range(STACKS)])
        between = range(STACKS - 1)
        self.inters = nn.LayerList([Residual(width, width) for _ in between])
        self.inters_ = nn.LayerList([_pointwise(width, width, 1) for _ in between])
        self.cnvs_ = nn.LayerList([_pointwise(width, width, 1) for _ in between])
        self._heads = tuple(heads)
        for name, count in heads.items():
            of_stacks = nn.Layer()
            head = nn.Sequential(Convolution(WIDTHS[0], HEAD), nn.Conv2D(HEAD, count, 1))
            of_stacks.add_sublayer(str(STACKS - 1), head)
            self.add_sublayer(name, of_stacks)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) normalised BGR -> heads (N, C, H / 4, W / 4), raw."""
        x = self.pre(image)
        for stack in range(STACKS - 1):
            features = self.cnvs[stack](self.kps[stack](x))
            x = self.inters[stack](functional.relu(self.inters_[stack](x) + self.cnvs_[stack](features)))
        features = self.cnvs[-1](self.kps[-1](x))
        return tuple(head(features) for head in self._last_heads())

    def _last_heads(self) -> list[nn.Layer]:
        return [getattr(getattr(self, name), str(STACKS - 1)) for name in self._heads]


def _conv_bn(c_in: int, c_out: int, kernel: int, *, stride: int = 1) -> ConvNorm:
    return ConvNorm(c_in, c_out, kernel, stride=stride, activation=functional.relu, norm_name="bn")


def _pointwise(c_in: int, c_out: int, stride: int) -> nn.Layer:
    return nn.Sequential(conv(c_in, c_out, 1, stride=stride), nn.BatchNorm2D(c_out))


def build(card: ModelCard) -> MultiPoseHourglass:
    """Make the network of a card."""
    return MultiPoseHourglass(head_channels(card))
