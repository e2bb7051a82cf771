"""CenterNet on DLA-34 with deformable convolutions (arXiv 1904.07850; 1707.06484; 1811.11168).

Structure and names: CenterNet src/lib/models/networks/pose_dla_dcn.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from paddle import Tensor, nn

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._aggregation import Aggregation, Pyramid
from pose_onnx.exporters.networks._deformable import SIDE, TOLD, deformed
from pose_onnx.exporters.networks._people_heads import head_channels
from pose_onnx.exporters.networks.dla import DLA, FINEST, WIDTHS

HEAD: Final = 256


class DeformableConv(nn.Conv2D):  # type: ignore[misc]  # paddle's Layer is untyped
    """3 x 3 convolution that computes offsets and weights of its taps from its input (DCNv2)."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, SIDE, padding=1)
        self.conv_offset_mask = nn.Conv2D(c_in, TOLD, SIDE, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        return deformed(self, x, self.conv_offset_mask(x))


class Deformable(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Deformable convolution, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = DeformableConv(c_in, c_out)
        self.actf = nn.Sequential(nn.BatchNorm2D(c_out), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        return self.actf(self.conv(x))


class MultiPoseDLA(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """One-pass network.

    Args:
        heads: channels of each head.
    """

    def __init__(self, heads: Mapping[str, int]) -> None:
        super().__init__()
        width = WIDTHS[FINEST]
        self.base = DLA()
        self.dla_up = Pyramid(WIDTHS[FINEST:], Deformable)
        self.ida_up = Aggregation(width, WIDTHS[FINEST + 1 : -1], (2, 4), Deformable)
        self._heads = tuple(heads)
        for name, count in heads.items():
            head = nn.Sequential(nn.Conv2D(width, HEAD, 3, padding=1), nn.ReLU(), nn.Conv2D(HEAD, count, 1))
            self.add_sublayer(name, head)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) normalised BGR -> heads (N, C, H / 4, W / 4), raw."""
        x = self.ida_up(self.dla_up(self.base(image))[:-1])[-1]
        return tuple(getattr(self, name)(x) for name in self._heads)


def build(card: ModelCard) -> MultiPoseDLA:
    """Make the network of a card."""
    return MultiPoseDLA(head_channels(card))
