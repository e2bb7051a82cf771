"""CenterNet on DLA-34 with deformable convolutions (arXiv 1904.07850; 1707.06484; 1811.11168).

Structure and names: CenterNet src/lib/models/networks/pose_dla_dcn.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.vision.ops import deform_conv2d

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._blocks import conv
from pose_onnx.exporters.networks._people_heads import head_channels

WIDTHS: Final = (16, 32, 64, 128, 256, 512)
"""Channels of the six levels; level n has stride 2**n."""
FINEST: Final = 2
"""The finest level that is aggregated; the heads have stride 2**FINEST."""
SIDE: Final = 3
"""Height and width of a deformable kernel."""
HEAD: Final = 256


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


class DeformableConv(nn.Conv2D):  # type: ignore[misc]  # likewise
    """3 x 3 convolution that computes offsets and weights of its taps from its input (DCNv2)."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, SIDE, padding=1)
        self.conv_offset_mask = nn.Conv2D(c_in, 3 * SIDE**2, SIDE, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        told = self.conv_offset_mask(x)
        offsets = told[:, : 2 * SIDE**2]  # dy, dx of the first tap, then of the next, row by row
        weights = functional.sigmoid(told[:, 2 * SIDE**2 :])
        return deform_conv2d(x, offsets, self.weight, self.bias, padding=1, mask=weights)


class Deformable(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Deformable convolution, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = DeformableConv(c_in, c_out)
        self.actf = nn.Sequential(nn.BatchNorm2D(c_out), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        return self.actf(self.conv(x))


class Aggregation(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Upsamples maps to the size of the first and merges them, one after the other ("IDAUp").

    Args:
        c_out: channels of the first map and of all outputs.
        channels: channels of the maps after the first.
        factors: the factor by which each of them is enlarged.
    """

    def __init__(self, c_out: int, channels: Sequence[int], factors: Sequence[int]) -> None:
        super().__init__()
        for step, (c_in, factor) in enumerate(zip(channels, factors, strict=True), start=1):
            self.add_sublayer(f"proj_{step}", Deformable(c_in, c_out))
            up = nn.Conv2DTranspose(
                c_out, c_out, 2 * factor, stride=factor, padding=factor // 2, groups=c_out, bias_attr=False
            )
            self.add_sublayer(f"up_{step}", up)
            self.add_sublayer(f"node_{step}", Deformable(c_out, c_out))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps, finest first -> the first one unchanged, and all others at its size."""
        done = [maps[0]]
        for step, x in enumerate(maps[1:], start=1):
            proj, up, node = (getattr(self, f"{part}_{step}") for part in ("proj", "up", "node"))
            done.append(node(up(proj(x)) + done[-1]))
        return done


class Pyramid(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Aggregates the levels, starting with the coarsest ("DLAUp")."""

    def __init__(self) -> None:
        super().__init__()
        widths = list(WIDTHS[FINEST:])
        for step in range(len(widths) - 1):
            first = len(widths) - 2 - step
            later = widths[first + 1 :]
            self.add_sublayer(f"ida_{step}", Aggregation(widths[first], later, [2] * len(later)))
            widths[first + 1 :] = [widths[first]] * len(later)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of strides 4 to 32 -> maps of strides 4, 8, 16."""
        kept: list[Tensor] = []
        for step in range(len(maps) - 1):
            first = len(maps) - 2 - step
            maps = [*maps[:first], *getattr(self, f"ida_{step}")(maps[first:])]
            kept.insert(0, maps[-1])
        return kept


class MultiPoseDLA(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """One-pass network.

    Args:
        heads: channels of each head.
    """

    def __init__(self, heads: Mapping[str, int]) -> None:
        super().__init__()
        width = WIDTHS[FINEST]
        self.base = DLA()
        self.dla_up = Pyramid()
        self.ida_up = Aggregation(width, WIDTHS[FINEST + 1 : -1], (2, 4))
        self._heads = tuple(heads)
        for name, count in heads.items():
            head = nn.Sequential(nn.Conv2D(width, HEAD, 3, padding=1), nn.ReLU(), nn.Conv2D(HEAD, count, 1))
            self.add_sublayer(name, head)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) normalised BGR -> heads (N, C, H / 4, W / 4), raw."""
        x = self.ida_up(self.dla_up(self.base(image)))[-1]
        return tuple(getattr(self, name)(x) for name in self._heads)


def halved(x: Tensor) -> Tensor:
    """Halve the size by max-pooling."""
    return functional.max_pool2d(x, 2, 2)


def _conv_bn(c_in: int, c_out: int, kernel: int, stride: int) -> nn.Layer:
    return nn.Sequential(conv(c_in, c_out, kernel, stride=stride), nn.BatchNorm2D(c_out), nn.ReLU())


def build(card: ModelCard) -> MultiPoseDLA:
    """Make the network of a card."""
    return MultiPoseDLA(head_channels(card))
