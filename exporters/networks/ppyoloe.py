"""PP-YOLOE and PP-YOLOE+ (arXiv 2203.16250): backbone, neck and head, without NMS.

Structure of the head: PaddleDetection ppdet/modeling/heads/ppyoloe_head.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from paddle import Tensor, concat, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.decode import BoxDecode
from pose_onnx.exporters.networks._boxes import decode_boxes, rows
from pose_onnx.exporters.networks.cspresnet import CSPResNet, conv_norm
from pose_onnx.exporters.networks.custom_pan import CustomCSPPAN
from pose_onnx.outputs import BoxOutput


class Size(NamedTuple):
    """Depth and width factors of PaddleDetection's configs/ppyoloe."""

    depth: float
    width: float


SIZES: Final = {"s": Size(0.33, 0.50), "m": Size(0.67, 0.75), "l": Size(1.0, 1.0), "x": Size(1.33, 1.25)}


class ESEAttention(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Channel attention and a pointwise convolution ("ESEAttn" of PaddleDetection)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2D(channels, channels, 1)
        self.conv = conv_norm(channels, channels, 1)

    def forward(self, x: Tensor, mean: Tensor) -> Tensor:
        """(N, C, H, W) and its mean (N, C, 1, 1) -> (N, C, H, W)."""
        return self.conv(x * functional.sigmoid(self.fc(mean)))


class PPYOLOEHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features at every stride -> boxes and scores of every grid cell.

    Args:
        channels: of the features, in the order of `decode.strides`.
        classes: number of classes C.
        decode: strides and bins of the box distribution.
    """

    def __init__(self, channels: Sequence[int], classes: int, decode: BoxDecode) -> None:
        super().__init__()
        self.stem_cls = nn.LayerList([ESEAttention(c) for c in channels])
        self.stem_reg = nn.LayerList([ESEAttention(c) for c in channels])
        self.pred_cls = nn.LayerList([nn.Conv2D(c, classes, 3, padding=1) for c in channels])
        self.pred_reg = nn.LayerList([nn.Conv2D(c, 4 * decode.bins, 3, padding=1) for c in channels])
        self._decode = decode

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes (N, A, 4), xyxy in network pixels, and scores (N, A, C)."""
        scores, bins = [], []
        for i, feature in enumerate(features):
            mean = functional.adaptive_avg_pool2d(feature, 1)
            classes = self.pred_cls[i](self.stem_cls[i](feature, mean) + feature)
            scores.append(rows(functional.sigmoid(classes)))
            bins.append(rows(self.pred_reg[i](self.stem_reg[i](feature, mean))))
        return decode_boxes(concat(bins, axis=1), features, self._decode), concat(scores, axis=1)


class PPYOLOE(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Detector without NMS.

    Args:
        size: depth and width.
        classes: number of classes C.
        decode: strides and bins of the box distribution.
        alpha: whether the RepVGG blocks of the backbone have a learned factor (PP-YOLOE+).
    """

    def __init__(self, size: Size, classes: int, decode: BoxDecode, *, alpha: bool) -> None:
        super().__init__()
        self.backbone = CSPResNet(size.depth, size.width, alpha=alpha)
        self.neck = CustomCSPPAN(self.backbone.channels, size.depth, size.width)
        self.yolo_head = PPYOLOEHead(self.neck.channels, classes, decode)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, S, S) normalised RGB -> boxes (N, A, 4) xyxy network px, scores (N, A, C)."""
        boxes, scores = self.yolo_head(self.neck(self.backbone(image)))
        return boxes, scores


VARIANTS: Final[Mapping[str, tuple[Size, bool]]] = MappingProxyType(
    {f"ppyoloe_{name}": (size, False) for name, size in SIZES.items()}
    | {f"ppyoloe_plus_{name}": (size, True) for name, size in SIZES.items()}
)
"""Size, and whether RepVGG blocks have an alpha, by architecture."""


def build(card: ModelCard) -> PPYOLOE:
    """Make the network of a card."""
    size, alpha = VARIANTS[card.architecture]
    return PPYOLOE(size, len(card.classes), BoxDecode.of(cast("BoxOutput", card.output)), alpha=alpha)
