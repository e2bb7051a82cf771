"""CenterNet for boxes (arXiv 1904.07850), without the search for peaks.

Structure and names: PaddleDetection ppdet/modeling/necks/centernet_fpn.py, heads/centernet_head.py and
configs/centernet. Those of DLA are CenterNet's own; `NETWORKS` says what PaddleDetection calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._aggregation import Aggregation, Node, Pyramid
from pose_onnx.exporters.networks._blocks import ConvNorm
from pose_onnx.exporters.networks._deformable import SIDE, TOLD, deformed
from pose_onnx.exporters.networks.dla import DLA, FINEST, WIDTHS
from pose_onnx.exporters.networks.mobilenet_v1 import MobileNetV1
from pose_onnx.exporters.networks.mobilenet_v3 import MobileNetV3
from pose_onnx.exporters.networks.resnet import ResNet
from pose_onnx.exporters.networks.shufflenet_v2 import ShuffleNetV2
from pose_onnx.outputs.centers import channels_of

HEAD: Final = 256
ALL_STAGES: Final = (0, 1, 2, 3)


class DeformableConv(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Deformable convolution, and the one that tells it where its taps move."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv_offset = nn.Conv2D(c_in, TOLD, SIDE, padding=1)
        self.conv_dcn = nn.Conv2D(c_in, c_out, SIDE, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        return deformed(self.conv_dcn, x, self.conv_offset(x))


def plain(c_in: int, c_out: int) -> nn.Layer:
    """Make a 3 x 3 convolution, normed, with ReLU."""
    return nn.Sequential(ConvNorm(c_in, c_out, SIDE), nn.ReLU())


def deformable(c_in: int, c_out: int) -> nn.Layer:
    """Make a deformable one likewise."""
    normed = nn.Sequential(("conv", DeformableConv(c_in, c_out)), ("norm", nn.BatchNorm2D(c_out)))
    return nn.Sequential(normed, nn.ReLU())


class Neck(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Brings features together at the size of the finest ("CenterNetDLAFPN").

    Args:
        c_in: channels of the features, highest resolution first.
        node: makes a convolution with an activation.
        levels: how many features, from the finest on, are brought together last.
        scale: how much larger the result is than the finest feature.
    """

    def __init__(self, c_in: Sequence[int], node: Node, levels: int, scale: int) -> None:
        super().__init__()
        self.dla_up = Pyramid(c_in, node)
        self.ida_up = Aggregation(c_in[0], c_in[1:levels], [2**level for level in range(1, levels)], node)
        self._levels, self._scale = levels, scale
        self.channels = c_in[0]

    def forward(self, features: list[Tensor]) -> Tensor:
        """(N, C_i, H_i, W_i) each -> (N, channels, scale * H_0, scale * W_0)."""
        x = self.ida_up(self.dla_up(features)[: self._levels])[-1]
        if self._scale == 1:
            return x
        return functional.interpolate(x, scale_factor=self._scale, mode="bilinear", align_corners=True)


class Head(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Maps of centres, sizes and offsets, with so many channels each."""

    def __init__(self, c_in: int, channels: tuple[int, int, int]) -> None:
        super().__init__()
        self.heatmap, self.size, self.offset = (_branch(c_in, c_out) for c_out in channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, c_in, h, w) -> centres, 0 to 1, sizes and offsets, in cells."""
        return functional.sigmoid(self.heatmap(x)), self.size(x), self.offset(x)


def _branch(c_in: int, c_out: int) -> nn.Layer:
    first, last = nn.Conv2D(c_in, HEAD, 3, padding=1), nn.Conv2D(HEAD, c_out, 1)
    return nn.Sequential(nn.Sequential(("conv", first)), nn.ReLU(), nn.Sequential(("conv", last)))


class DLA34(DLA):
    """DLA-34 with its features' channels."""

    channels = WIDTHS[FINEST:]


class Design(NamedTuple):
    """What an architecture consists of.

    Attributes:
        backbone: makes the backbone.
        levels: see `Neck`.
        node: likewise.
        scale: likewise.
    """

    backbone: Callable[[], nn.Layer]
    levels: int = 4
    node: Node = plain
    scale: int = 1


DESIGNS: Final[Mapping[str, Design]] = MappingProxyType(
    {
        "centernet_dla34": Design(DLA34, levels=3, node=deformable),
        "centernet_r18": Design(partial(ResNet, 18, ALL_STAGES, vd=True, deformable=(3,))),
        "centernet_r50": Design(partial(ResNet, 50, ALL_STAGES, vd=True, deformable=(3,))),
        "centernet_mbv1": Design(partial(MobileNetV1, ("conv3_1", "conv4_1", "conv5_5", "conv6"))),
        "centernet_mbv3_large": Design(partial(MobileNetV3, "large", (4, 7, 13, 16))),
        # The finest features of these have a stride of 8.
        "centernet_mbv3_small": Design(partial(MobileNetV3, "small", (4, 9, 12)), levels=3, scale=2),
        "centernet_shufflenetv2": Design(ShuffleNetV2, levels=3, scale=2),
    }
)


class CenterNet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Detector without the search for peaks.

    Args:
        design: parts of the network.
        channels: of the maps of centres, sizes and offsets.
    """

    def __init__(self, design: Design, channels: tuple[int, int, int]) -> None:
        super().__init__()
        self.backbone = design.backbone()
        self.neck = Neck(self.backbone.channels, design.node, design.levels, design.scale)
        self.head = Head(self.neck.channels, channels)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 3, H, W) normalised BGR -> maps (N, C, H / 4, W / 4), (N, 2, ...), (N, 2, ...)."""
        centers, sizes, offsets = self.head(self.neck(self.backbone(image)))
        return centers, sizes, offsets


def build(card: ModelCard) -> CenterNet:
    """Make the network of a card."""
    return CenterNet(DESIGNS[card.architecture], channels_of(card))
