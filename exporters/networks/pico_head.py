"""PicoDet's heads, decoded inside the graph: PicoHead of 2021 and PicoHeadV2 of 2022.

Structure: PaddleDetection ppdet/modeling/heads/pico_head.py; box distribution
and its expectation: Generalized Focal Loss (arXiv 2006.04388).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.exporters.decode import BoxDecode
from pose_onnx.exporters.networks._blocks import Activation, ConvNorm, DepthwisePointwise, identity
from pose_onnx.exporters.networks._boxes import decode_boxes, rows

KERNEL: Final = 5
SCORE_EPSILON: Final = 1e-9
"""Makes the square root of the score differentiable at 0; a constant of the trained model."""


class LevelConvs(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """The convolutions of a head, separate for each level.

    Args:
        channels: of input and output.
        levels: number of levels.
        convs: number of pairs of a depthwise and a pointwise convolution per level.
        activation: of each.
    """

    def __init__(
        self, channels: int, levels: int, convs: int, activation: Activation = functional.hardswish
    ) -> None:
        super().__init__()
        self._convs = convs
        for level in range(levels):
            for i in range(convs):
                # The dot in the name is PaddleDetection's.
                depthwise = ConvNorm(channels, channels, KERNEL, groups=channels, activation=activation)
                pointwise = ConvNorm(channels, channels, 1, activation=activation)
                self.add_sublayer(f"cls_conv_dw{level}.{i}", depthwise)
                self.add_sublayer(f"cls_conv_pw{level}.{i}", pointwise)

    def forward(self, x: Tensor, level: int) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        for i in range(self._convs):
            x = self._sub_layers[f"cls_conv_dw{level}.{i}"](x)
            x = self._sub_layers[f"cls_conv_pw{level}.{i}"](x)
        return x


class PicoHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features at every stride -> boxes and scores of every grid cell, as in 2021.

    Args:
        channels: of every feature.
        classes: number of classes C.
        decode: strides and bins of the box distribution.
        convs: pairs of convolutions for each level.
    """

    def __init__(self, channels: int, classes: int, decode: BoxDecode, convs: int) -> None:
        super().__init__()
        self._sections = [classes, 4 * decode.bins]
        self._decode = decode
        self.conv_feat = LevelConvs(channels, len(decode.strides), convs)
        for level in range(len(decode.strides)):
            self.add_sublayer(f"head_cls{level}", nn.Conv2D(channels, sum(self._sections), 1))

    def levels(self, features: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Per level: class probabilities (N, A_l, C), and logits of the bins (N, A_l, 4 * bins)."""
        for level, feature in enumerate(features):
            both = getattr(self, f"head_cls{level}")(self.conv_feat(feature, level))
            classes, bins = paddle.split(both, self._sections, axis=1)
            yield functional.sigmoid(rows(classes)), rows(bins)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes (N, A, 4), xyxy in network pixels, and scores (N, A, C)."""
        scores, bins = (paddle.concat(x, axis=1) for x in zip(*self.levels(features), strict=True))
        return decode_boxes(bins, features, self._decode), scores


class PicoSE(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Channel attention and a pointwise convolution, for the box branch."""

    def __init__(self, channels: int, activation: Activation) -> None:
        super().__init__()
        self.fc = nn.Conv2D(channels, channels, 1)
        self.conv = ConvNorm(channels, channels, 1, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return self.conv(x * functional.sigmoid(self.fc(functional.adaptive_avg_pool2d(x, 1))))


class PicoFeat(LevelConvs):
    """The convolutions and the attention of PicoHeadV2."""

    def __init__(self, channels: int, levels: int, convs: int, activation: Activation) -> None:
        super().__init__(channels, levels, convs, activation)
        self.se = nn.LayerList([PicoSE(channels, activation) for _ in range(levels)])

    def forward(self, x: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """Return features for the alignment score, and features with attention for class and box."""
        x = super().forward(x, level)
        return x, self.se[level](x)


class PicoHeadV2(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features at every stride -> boxes and scores of every grid cell.

    Args:
        channels: of every feature.
        classes: number of classes C.
        decode: strides and bins of the box distribution.
        convs: pairs of convolutions for each level.
        activation: of every layer except the last.
    """

    def __init__(
        self, channels: int, classes: int, decode: BoxDecode, convs: int, activation: Activation
    ) -> None:
        super().__init__()
        levels = len(decode.strides)
        self.conv_feat = PicoFeat(channels, levels, convs, activation)
        self.head_cls_list = nn.LayerList([nn.Conv2D(channels, classes, 1) for _ in range(levels)])
        self.head_reg_list = nn.LayerList([nn.Conv2D(channels, 4 * decode.bins, 1) for _ in range(levels)])
        self.cls_align = nn.LayerList(
            [
                DepthwisePointwise(channels, 1, KERNEL, activation=activation, last_activation=identity)
                for _ in range(levels)
            ]
        )
        self._decode = decode

    def levels(self, features: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Per level: logits of class (N, A_l, C), alignment (N, A_l, 1), and bins (N, A_l, 4 * bins)."""
        for level, feature in enumerate(features):
            plain, attended = self.conv_feat(feature, level)
            outputs = (
                self.head_cls_list[level](attended),
                self.cls_align[level](plain),
                self.head_reg_list[level](attended),
            )
            yield tuple(rows(x) for x in outputs)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes (N, A, 4), xyxy in network pixels, and scores (N, A, C)."""
        classes, alignment, bins = (
            paddle.concat(x, axis=1) for x in zip(*self.levels(features), strict=True)
        )
        return decode_boxes(bins, features, self._decode), score(classes, alignment)


def score(class_logits: Tensor, alignment_logits: Tensor) -> Tensor:
    """Return the geometric mean of the class probability and the alignment of class and box."""
    return paddle.sqrt(
        functional.sigmoid(class_logits) * functional.sigmoid(alignment_logits) + SCORE_EPSILON
    )
