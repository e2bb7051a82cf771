"""PicoDet-S with an LCNet backbone (arXiv 2111.00902, PaddleDetection's 2022 release)."""

from __future__ import annotations

from typing import Final

from paddle import Tensor, nn

from pose_onnx._card import ModelCard
from pose_onnx.exporters.decode import BoxDecode
from pose_onnx.exporters.networks.lc_pan import LCPAN
from pose_onnx.exporters.networks.lcnet import LCNet
from pose_onnx.exporters.networks.pico_head import PicoHeadV2

WIDTH: Final = 0.75
NECK_CHANNELS: Final = 96


class PicoDet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Detector without NMS.

    Args:
        classes: number of classes C.
        decode: strides and bins of the box distributions.
    """

    def __init__(self, classes: int, decode: BoxDecode) -> None:
        super().__init__()
        self.backbone = LCNet(WIDTH)
        self.neck = LCPAN(self.backbone.channels, NECK_CHANNELS)
        self.head = PicoHeadV2(NECK_CHANNELS, classes, decode)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, S, S) normalised RGB -> boxes (N, A, 4) xyxy network px, scores (N, A, C)."""
        boxes, scores = self.head(self.neck(self.backbone(image)))
        return boxes, scores


def build(card: ModelCard) -> PicoDet:
    """Make the network of a card."""
    return PicoDet(len(card.classes), BoxDecode.of(card.box))
