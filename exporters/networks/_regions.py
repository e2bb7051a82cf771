"""Regions of two-stage detectors in Paddle: anchors, proposals, and boxes that move.

Numbers and order of computation: PaddleDetection ppdet/modeling/proposal_generator/anchor_generator.py,
rpn_head.py, bbox_utils.py (delta2bbox) and heads/roi_extractor.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.vision.ops import distribute_fpn_proposals, generate_proposals, roi_align

STRIDES: Final = (4, 8, 16, 32, 64)
"""Of the levels that regions are proposed on; all but the last one are pooled from."""
SIDE: Final = 8
"""Of a square anchor, in strides."""
RATIOS: Final = (0.5, 1.0, 2.0)
"""Heights of anchors in widths."""
MOST_GROWTH: Final = math.log(1000 / 16)
"""Logarithm of the most that a region's sides grow by."""
POOLED: Final = 7
"""Rows and columns of a region's features."""
USUAL_SIDE: Final = 224
USUAL_LEVEL: Final = 4
"""A region with the usual side, input pixels, is pooled from the level with a stride of 2^4."""
SAME: Final = 0.7
"""Two regions with a higher IoU are the same object."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many regions are kept: of each level before suppression, and of each and of all after it."""

    candidates: int
    kept: int


class RPNHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Proposes regions on the features of all levels."""

    def __init__(self, channels: int, counts: Counts) -> None:
        super().__init__()
        self.rpn_feat = nn.Sequential(("rpn_conv", nn.Conv2D(channels, channels, 3, padding=1)))
        self.rpn_rois_score = nn.Conv2D(channels, len(RATIOS), 1)
        self.rpn_rois_delta = nn.Conv2D(channels, 4 * len(RATIOS), 1)
        self._counts = counts

    def forward(self, features: Sequence[Tensor], im_shape: Tensor) -> Tensor:
        """Return regions (R, 4), xyxy, input pixels, of one picture, which fills (1, 2) of the input."""
        boxes, scores = [], []
        for level, stride in zip(features, STRIDES, strict=True):
            x = functional.relu(self.rpn_feat(level))
            anchors = _anchors(x, stride)
            found, probability, _ = generate_proposals(
                self.rpn_rois_score(x),
                self.rpn_rois_delta(x),
                im_shape,
                anchors,
                paddle.ones_like(anchors),
                pre_nms_top_n=self._counts.candidates,
                post_nms_top_n=self._counts.kept,
                nms_thresh=SAME,
                min_size=0.0,
                return_rois_num=True,
            )
            boxes.append(found)
            scores.append(probability)
        ranked = paddle.concat(scores).flatten()
        most = paddle.minimum(paddle.full([1], self._counts.kept, "int64"), _sizes(ranked)[0:1])
        _, best = paddle.topk(ranked, most)
        return paddle.gather(paddle.concat(boxes), best)


def _sizes(x: Tensor) -> Tensor:
    return paddle.cast(paddle.shape(x), "int64")


def _anchors(level: Tensor, stride: int) -> Tensor:
    """Return (h * w * A, 4) anchors."""
    own = []
    for ratio in RATIOS:
        width = math.sqrt((SIDE * stride) ** 2.0 / ratio)
        height = ratio * width
        own.append([-width / 2.0, -height / 2.0, width / 2.0, height / 2.0])
    sizes = _sizes(level)
    across, down = (
        paddle.cast(paddle.arange(0, sizes[axis] * stride, stride, "int64"), "float32") for axis in (3, 2)
    )
    y, x = (axis.flatten() for axis in paddle.meshgrid(down, across))
    places = paddle.stack([x, y, x, y], axis=1).reshape([-1, 1, 4])
    return (places + paddle.to_tensor(own, "float32").reshape([1, -1, 4])).reshape([-1, 4])


def pooled(features: Sequence[Tensor], regions: Tensor) -> Tensor:
    """Pool the features (R, C, 7, 7) of each region from the level that fits its size."""
    count = _sizes(regions)[0:1].cast("int32")
    parts, order, counts = distribute_fpn_proposals(
        regions, 2, 1 + len(features), USUAL_LEVEL, USUAL_SIDE, rois_num=count
    )
    found = [
        roi_align(level, part, number, POOLED, 1 / stride, sampling_ratio=0, aligned=False)
        for level, part, number, stride in zip(features, parts, counts, STRIDES, strict=False)
    ]
    return paddle.gather(paddle.concat(found), order)


def moved(regions: Tensor, deltas: Tensor, weights: tuple[float, float]) -> Tensor:
    """Move and resize regions.

    Args:
        regions: (R, 4).
        deltas: (R, C * 4), of the centre in sides, and of the sides' logarithms, both times a weight.
        weights: these.

    Returns:
        (R, C, 4).
    """
    low, sides = regions[:, :2], regions[:, 2:] - regions[:, :2]
    centers, sides = (low + sides * 0.5).unsqueeze(1), sides.unsqueeze(1)
    table = deltas.reshape([-1, deltas.shape[1] // 4, 4])
    centers = table[:, :, :2] / weights[0] * sides + centers
    half = paddle.exp(paddle.clip(table[:, :, 2:] / weights[1], max=MOST_GROWTH)) * sides * 0.5
    return paddle.concat([centers - half, centers + half], axis=-1)


def inside(boxes: Tensor, im_shape: Tensor) -> Tensor:
    """End (R, C, 4) boxes at the picture's border."""
    height, width = im_shape[:, 0:1], im_shape[:, 1:2]
    ends = paddle.concat([width, height, width, height], axis=1).unsqueeze(1)
    return paddle.maximum(paddle.minimum(boxes, ends), paddle.zeros_like(ends))
