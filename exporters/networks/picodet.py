"""PicoDet (arXiv 2111.00902): S with an LCNet backbone (2022), S and M with an ESNet backbone (2021)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from paddle import Tensor, nn

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.decode import BoxDecode
from pose_onnx.exporters.networks.csp_pan import CSPPAN
from pose_onnx.exporters.networks.esnet import ESNet
from pose_onnx.exporters.networks.lc_pan import LCPAN
from pose_onnx.exporters.networks.lcnet import LCNet
from pose_onnx.exporters.networks.pico_head import PicoHead, PicoHeadV2
from pose_onnx.outputs import BoxOutput

LCNET_WIDTH: Final = 0.75
LCPAN_CHANNELS: Final = 96


class PicoDet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Detector without NMS.

    Args:
        backbone: image -> features at strides 8, 16, 32.
        neck: those -> features at strides 8, 16, 32, 64.
        head: those -> boxes and scores.
    """

    def __init__(self, backbone: nn.Layer, neck: nn.Layer, head: nn.Layer) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, S, S) normalised RGB -> boxes (N, A, 4) xyxy network px, scores (N, A, C)."""
        boxes, scores = self.head(self.neck(self.backbone(image)))
        return boxes, scores


class Size(NamedTuple):
    """One of the ESNet PicoDets (PaddleDetection, configs/picodet/legacy_model).

    Attributes:
        width: of the backbone.
        ratios: of the backbone's blocks, see `ESNet`.
        channels: of neck and head.
        convs: pairs of convolutions for each level of the head.
    """

    width: float
    ratios: Sequence[float]
    channels: int
    convs: int

    def build(self, classes: int, decode: BoxDecode) -> PicoDet:
        """Make the network, for C classes."""
        backbone = ESNet(self.width, self.ratios)
        neck = CSPPAN(backbone.channels, self.channels)
        return PicoDet(backbone, neck, PicoHead(self.channels, classes, decode, self.convs))


SMALL: Final = Size(
    0.75, (0.875, 0.5, 0.5, 0.5, 0.625, 0.5, 0.625, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5), channels=96, convs=2
)
MEDIUM: Final = Size(
    1.0,
    (0.875, 0.5, 1.0, 0.625, 0.5, 0.75, 0.625, 0.625, 0.5, 0.625, 1.0, 0.625, 0.75),
    channels=128,
    convs=4,
)


def _lcnet(classes: int, decode: BoxDecode) -> PicoDet:
    backbone = LCNet(LCNET_WIDTH)
    neck = LCPAN(backbone.channels, LCPAN_CHANNELS)
    return PicoDet(backbone, neck, PicoHeadV2(LCPAN_CHANNELS, classes, decode))


BUILDERS: Final[Mapping[str, Callable[[int, BoxDecode], PicoDet]]] = MappingProxyType(
    {"picodet_s_lcnet": _lcnet, "picodet_s_esnet": SMALL.build, "picodet_m_esnet": MEDIUM.build}
)


def build(card: ModelCard) -> PicoDet:
    """Make the network of a card."""
    return BUILDERS[card.architecture](len(card.classes), BoxDecode.of(cast("BoxOutput", card.output)))
