"""ResNet (arXiv 1512.03385) as a backbone: with the plain stem, and "vd" (arXiv 1812.01187).

Structure and names: PaddleDetection ppdet/modeling/backbones/resnet.py, variants b and d.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import Activation, ConvNorm, conv, identity
from pose_onnx.exporters.networks._deformable import SIDE, TOLD, deformed

STEM: Final = 64
FIRST: Final = 2
"""Number in the name of the first stage."""
MANY: Final = 10
"""Longer third stages number their blocks, where others go through the alphabet."""
EXPANSION: Final = 4
"""A bottleneck's output has so many times its own channels."""


class Depth(NamedTuple):
    """How many blocks each of the four stages has, and whether they are bottlenecks."""

    blocks: tuple[int, int, int, int]
    bottlenecks: bool


DEPTHS: Final[Mapping[int, Depth]] = MappingProxyType(
    {
        18: Depth((2, 2, 2, 2), bottlenecks=False),
        34: Depth((3, 4, 6, 3), bottlenecks=False),
        50: Depth((3, 4, 6, 3), bottlenecks=True),
        101: Depth((3, 4, 23, 3), bottlenecks=True),
    }
)


class DeformableNorm(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Deformable convolution, batch norm, activation."""

    def __init__(self, c_in: int, c_out: int, *, stride: int, activation: Activation) -> None:
        super().__init__()
        self.conv_offset = nn.Conv2D(c_in, TOLD, SIDE, stride=stride, padding=1)
        self.conv = conv(c_in, c_out, SIDE, stride=stride)
        self.norm = nn.BatchNorm2D(c_out)
        self._stride, self._activation = stride, activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        x = deformed(self.conv, x, self.conv_offset(x), self._stride)
        return self._activation(self.norm(x))


class Block(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two convolutions of 3 x 3, or a bottleneck, and a shortcut.

    Args:
        c_in: input channels.
        width: of the convolutions of 3 x 3.
        stride: of the block.
        first: whether it is its stage's first, so that the shortcut is a convolution.
        averages: whether that convolution sees averages where the block halves the size ("vd").
        bottleneck: whether it is one.
        deformable: whether the last convolution of 3 x 3 is.
    """

    def __init__(
        self,
        c_in: int,
        width: int,
        *,
        stride: int,
        first: bool,
        averages: bool,
        bottleneck: bool,
        deformable: bool,
    ) -> None:
        super().__init__()
        c_out = width * (EXPANSION if bottleneck else 1)
        self._parts = ["branch2a", "branch2b", *(["branch2c"] if bottleneck else [])]
        last = DeformableNorm if deformable else _three
        if first and not bottleneck:
            self.short = _shortcut(c_in, c_out, stride, averages=averages)
        if bottleneck:
            self.branch2a = ConvNorm(c_in, width, 1, activation=functional.relu)
            self.branch2b = last(width, width, stride=stride, activation=functional.relu)
            self.branch2c = ConvNorm(width, c_out, 1)
        else:
            self.branch2a = _three(c_in, width, stride=stride, activation=functional.relu)
            self.branch2b = last(width, width, stride=1, activation=identity)
        if first and bottleneck:
            self.short = _shortcut(c_in, c_out, stride, averages=averages)
        self._has_short = first

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        inner = x
        for part in self._parts:
            inner = getattr(self, part)(inner)
        return functional.relu(inner + (self.short(x) if self._has_short else x))


def _three(c_in: int, c_out: int, *, stride: int, activation: Activation) -> ConvNorm:
    return ConvNorm(c_in, c_out, 3, stride=stride, activation=activation)


def _shortcut(c_in: int, c_out: int, stride: int, *, averages: bool) -> nn.Layer:
    if averages and stride > 1:
        pool = nn.AvgPool2D(stride, stride)  # of an even size, as all are where the input's is one of 32
        return nn.Sequential(("pool", pool), ("conv", ConvNorm(c_in, c_out, 1)))
    return ConvNorm(c_in, c_out, 1, stride=stride)


class ResNet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> what some stages give; H and W are multiples of 32.

    Args:
        depth: a key of `DEPTHS`.
        features: places of these stages, 0 to 3; `channels` lists theirs.
        vd: whether the stem is three convolutions, and shortcuts see averages.
        deformable: places of the stages whose convolutions of 3 x 3 are deformable.
    """

    def __init__(
        self, depth: int, features: Sequence[int], *, vd: bool = False, deformable: Sequence[int] = ()
    ) -> None:
        super().__init__()
        blocks, bottlenecks = DEPTHS[depth]
        self.conv1 = nn.Sequential(*_stem(vd=vd))
        channels, made = STEM, []
        for place, count in enumerate(blocks):
            stage = nn.Sequential()
            width = STEM << place
            for index, name in enumerate(_names(place, count)):
                block = Block(
                    channels,
                    width,
                    stride=2 if index == 0 and place > 0 else 1,
                    first=index == 0,
                    averages=vd,
                    bottleneck=bottlenecks,
                    deformable=place in deformable,
                )
                stage.add_sublayer(name, block)
                channels = width * (EXPANSION if bottlenecks else 1)
            made.append(channels)
            self.add_sublayer(f"res{FIRST + place}", stage)
        self._stages, self._features = len(blocks), tuple(features)
        self.channels = tuple(made[place] for place in features)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> features of `channels`, highest resolution first."""
        x = functional.max_pool2d(self.conv1(image), 3, stride=2, padding=1)
        found = []
        for place in range(self._stages):
            x = getattr(self, f"res{FIRST + place}")(x)
            if place in self._features:
                found.append(x)
        return found


def _stem(*, vd: bool) -> list[tuple[str, nn.Layer]]:
    sizes = [(3, STEM // 2, 3, 2), (STEM // 2, STEM // 2, 3, 1), (STEM // 2, STEM, 3, 1)] if vd else []
    names = [f"conv1_{place}" for place in range(1, 4)] if vd else ["conv1"]
    return [
        (name, ConvNorm(c_in, c_out, kernel, stride=stride, activation=functional.relu))
        for name, (c_in, c_out, kernel, stride) in zip(names, sizes or [(3, STEM, 7, 2)], strict=True)
    ]


def _names(place: int, count: int) -> list[str]:
    """Return the names of a stage's blocks: res4a, res4b, ..., or res4a, res4b1, ... where they are many."""
    stage = f"res{FIRST + place}"
    if count > MANY:
        return [f"{stage}a", *(f"{stage}b{index}" for index in range(1, count))]
    return [f"{stage}{chr(ord('a') + index)}" for index in range(count)]
