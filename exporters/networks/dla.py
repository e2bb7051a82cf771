"""DLA-34 (arXiv 1707.06484) as a backbone.

Structure and names: CenterNet src/lib/models/networks/pose_dla_dcn.py. PaddleDetection has other names, see
`NETWORKS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import conv

WIDTHS: Final = (16, 32, 64, 128, 256, 512)
"""Channels of the six levels; level n has stride 2**n."""
FINEST: Final = 2
"""The finest level that is a feature."""


class Block(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two 3 x 3 convolutions; the caller gives the shortcut."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(c_in, c_out, 3, stride=stride)
        self.bn1 = nn.BatchNorm2D(c_out)
        self.conv2 = conv(c_out, c_out, 3)
        self.bn2 = nn.BatchNorm2D(c_out)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + shortcut)


class Root(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Merges feature maps into one."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = conv(c_in, c_out, 1)
        self.bn = nn.BatchNorm2D(c_out)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(N, C_i, H, W) each, c_in channels in all -> (N, c_out, H, W)."""
        return functional.relu(self.bn(self.conv(paddle.concat(maps, axis=1))))


class Tree(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two blocks and a root.

    Args:
        c_in: input channels.
        c_out: output channels.
        stride: 1 or 2.
        extra: number of channels of the maps that the root merges in addition to those of the blocks.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, extra: int = 0) -> None:
        super().__init__()
        self.tree1 = Block(c_in, c_out, stride)
        self.tree2 = Block(c_out, c_out, 1)
        self.root = Root(2 * c_out + extra, c_out)
        same = c_in == c_out
        self.project = nn.Identity() if same else nn.Sequential(conv(c_in, c_out, 1), nn.BatchNorm2D(c_out))
        self._stride = stride

    def forward(self, x: Tensor, extra: Sequence[Tensor] = ()) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        first = self.tree1(x, self.project(halved(x) if self._stride > 1 else x))
        return self.root([self.tree2(first, first), first, *extra])


class DeepTree(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two trees; the root of the second also merges the input and the output of the first."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.tree1 = Tree(c_in, c_out, 2)
        self.tree2 = Tree(c_out, c_out, 1, c_in + c_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / 2, W / 2)."""
        first = self.tree1(x)
        return self.tree2(first, [halved(x), first])


class DLA(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """The backbone."""

    def __init__(self) -> None:
        super().__init__()
        self.base_layer = _conv_bn(3, WIDTHS[0], 7, 1)
        self.level0 = _conv_bn(WIDTHS[0], WIDTHS[0], 3, 1)
        self.level1 = _conv_bn(WIDTHS[0], WIDTHS[1], 3, 2)
        self.level2 = Tree(WIDTHS[1], WIDTHS[2], 2)
        self.level3 = DeepTree(WIDTHS[2], WIDTHS[3])
        self.level4 = DeepTree(WIDTHS[3], WIDTHS[4])
        self.level5 = Tree(WIDTHS[4], WIDTHS[5], 2, WIDTHS[4])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> maps of levels 2 to 5."""
        level2 = self.level2(self.level1(self.level0(self.base_layer(image))))
        level3 = self.level3(level2)
        level4 = self.level4(level3)
        return [level2, level3, level4, self.level5(level4, [halved(level4)])]


def halved(x: Tensor) -> Tensor:
    """Halve the size by max-pooling."""
    return functional.max_pool2d(x, 2, 2)


def _conv_bn(c_in: int, c_out: int, kernel: int, stride: int) -> nn.Layer:
    return nn.Sequential(conv(c_in, c_out, kernel, stride=stride), nn.BatchNorm2D(c_out), nn.ReLU())
