"""PicoDet (arXiv 2111.00902): XS to L with an LCNet backbone (2022), S and M with an ESNet (2021)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.decode import BoxDecode
from pose_onnx.exporters.networks._blocks import Activation
from pose_onnx.exporters.networks.csp_pan import CSPPAN
from pose_onnx.exporters.networks.esnet import ESNet
from pose_onnx.exporters.networks.lc_pan import LCPAN
from pose_onnx.exporters.networks.lcnet import LCNet
from pose_onnx.exporters.networks.pico_head import PicoHead, PicoHeadV2
from pose_onnx.outputs import BoxOutput


class PicoDet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Detector without NMS.

    Args:
        backbone: image -> features at strides 8, 16, 32.
        neck: these features -> features at strides 8, 16, 32, 64.
        head: the neck's features -> boxes and scores.
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


class ESNetSize(NamedTuple):
    """One of the ESNet PicoDets (PaddleDetection, configs/picodet/legacy_model).

    Attributes:
        width: of the backbone.
        ratios: ratios of the backbone's blocks, see `ESNet`.
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


ESNET_SMALL: Final = ESNetSize(
    0.75, (0.875, 0.5, 0.5, 0.5, 0.625, 0.5, 0.625, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5), channels=96, convs=2
)
ESNET_MEDIUM: Final = ESNetSize(
    1.0,
    (0.875, 0.5, 1.0, 0.625, 0.5, 0.75, 0.625, 0.625, 0.5, 0.625, 1.0, 0.625, 0.75),
    channels=128,
    convs=4,
)


class LCNetSize(NamedTuple):
    """One of the LCNet PicoDets (PaddleDetection, configs/picodet).

    Attributes:
        width: of the backbone.
        channels: of neck and head.
        convs: pairs of convolutions for each level of the head.
        neck: makes the neck from the channels of the backbone's features and its own.
        activation: of backbone and head.
    """

    width: float
    channels: int
    convs: int
    neck: Callable[[Sequence[int], int], nn.Layer] = LCPAN
    activation: Activation = functional.hardswish

    def build(self, classes: int, decode: BoxDecode) -> PicoDet:
        """Make the network, for C classes."""
        backbone = LCNet(self.width, self.activation)
        neck = self.neck(backbone.channels, self.channels)
        return PicoDet(
            backbone, neck, PicoHeadV2(self.channels, classes, decode, self.convs, self.activation)
        )


def _npu_neck(c_in: Sequence[int], channels: int) -> nn.Layer:
    return CSPPAN(c_in, channels, functional.relu6)


BUILDERS: Final[Mapping[str, Callable[[int, BoxDecode], PicoDet]]] = MappingProxyType(
    {
        "picodet_xs_lcnet": LCNetSize(0.35, 96, 2).build,
        "picodet_s_lcnet": LCNetSize(0.75, 96, 2).build,
        "picodet_m_lcnet": LCNetSize(1.5, 128, 4).build,
        "picodet_l_lcnet": LCNetSize(2.0, 160, 4).build,
        "picodet_s_npu": LCNetSize(0.75, 96, 4, _npu_neck, functional.relu6).build,
        "picodet_s_esnet": ESNET_SMALL.build,
        "picodet_m_esnet": ESNET_MEDIUM.build,
    }
)


def build(card: ModelCard) -> PicoDet:
    """Make the network of a card."""
    return BUILDERS[card.architecture](len(card.classes), BoxDecode.of(cast("BoxOutput", card.output)))
