"""PicoHeadV2: PicoDet's head, decoded inside the graph.

Structure: PaddleDetection ppdet/modeling/heads/pico_head.py; box distribution
and its expectation: Generalized Focal Loss (arXiv 2006.04388).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.exporters.decode import BoxDecode
from pose_onnx.exporters.networks._blocks import ConvNorm, DepthwisePointwise, identity

KERNEL: Final = 5
CONVS_PER_LEVEL: Final = 2
SCORE_EPSILON: Final = 1e-9
"""Keeps the square root of the score differentiable at 0; a constant of the trained model."""


class PicoSE(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Channel attention and a pointwise convolution, for the box branch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2D(channels, channels, 1)
        self.conv = ConvNorm(channels, channels, 1, activation=functional.hardswish)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return self.conv(x * functional.sigmoid(self.fc(functional.adaptive_avg_pool2d(x, 1))))


class PicoFeat(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """The convolutions of the head, apart for every level."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.se = nn.LayerList([PicoSE(channels) for _ in range(levels)])
        for level in range(levels):
            for i in range(CONVS_PER_LEVEL):
                # The dot in the name is PaddleDetection's.
                depthwise = ConvNorm(
                    channels, channels, KERNEL, groups=channels, activation=functional.hardswish
                )
                pointwise = ConvNorm(channels, channels, 1, activation=functional.hardswish)
                self.add_sublayer(f"cls_conv_dw{level}.{i}", depthwise)
                self.add_sublayer(f"cls_conv_pw{level}.{i}", pointwise)

    def forward(self, x: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """Features for the alignment score, and attended features for class and box."""
        for i in range(CONVS_PER_LEVEL):
            x = self._sub_layers[f"cls_conv_dw{level}.{i}"](x)
            x = self._sub_layers[f"cls_conv_pw{level}.{i}"](x)
        return x, self.se[level](x)


class PicoHeadV2(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features at every stride -> boxes and scores of every grid cell.

    Args:
        channels: of every feature.
        classes: number of classes C.
        decode: strides, bins and cell offset of the box distribution.
    """

    def __init__(self, channels: int, classes: int, decode: BoxDecode) -> None:
        super().__init__()
        levels = len(decode.strides)
        self.conv_feat = PicoFeat(channels, levels)
        self.head_cls_list = nn.LayerList([nn.Conv2D(channels, classes, 1) for _ in range(levels)])
        self.head_reg_list = nn.LayerList([nn.Conv2D(channels, 4 * decode.bins, 1) for _ in range(levels)])
        self.cls_align = nn.LayerList(
            [DepthwisePointwise(channels, 1, KERNEL, last_activation=identity) for _ in range(levels)]
        )
        self._classes = classes
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
            yield tuple(_rows(x) for x in outputs)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes (N, A, 4), xyxy in network pixels, and scores (N, A, C)."""
        classes, alignment, bins = (
            paddle.concat(x, axis=1) for x in zip(*self.levels(features), strict=True)
        )
        sizes = [(int(f.shape[2]), int(f.shape[3])) for f in features]
        return self._boxes(bins, sizes), score(classes, alignment)

    def _boxes(self, bins: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
        centres, signed_strides = self._decode.constants(sizes)
        bins = bins.reshape([-1, len(centres), 4, self._decode.bins])
        steps = paddle.to_tensor(np.arange(self._decode.bins, dtype=np.float32)[:, None])
        distances = paddle.matmul(functional.softmax(bins, axis=-1), steps).reshape([-1, len(centres), 4])
        return distances * paddle.to_tensor(signed_strides) + paddle.to_tensor(centres)


def score(class_logits: Tensor, alignment_logits: Tensor) -> Tensor:
    """Geometric mean of class probability and alignment of class with box."""
    return paddle.sqrt(
        functional.sigmoid(class_logits) * functional.sigmoid(alignment_logits) + SCORE_EPSILON
    )


def _rows(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H * W, C)."""
    channels, height, width = x.shape[1:]
    return x.transpose([0, 2, 3, 1]).reshape([-1, height * width, channels])
