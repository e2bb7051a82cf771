"""Decodes a head's feature maps to boxes in Paddle: the box distributions of GFL (arXiv 2006.04388)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional

from pose_onnx.exporters.decode import BoxDecode


def rows(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H * W, C)."""
    channels, height, width = x.shape[1:]
    return x.transpose([0, 2, 3, 1]).reshape([-1, height * width, channels])


def decode_boxes(bins: Tensor, features: Sequence[Tensor], decode: BoxDecode) -> Tensor:
    """Convert distributions of edge distances to boxes.

    Args:
        bins: (N, A, 4 * decode.bins) logits, all levels together.
        features: one map (N, C, H, W) for each level; they give the sizes of the grids.
        decode: strides and number of bins.

    Returns:
        (N, A, 4) xyxy in network pixels.
    """
    sizes = [(int(x.shape[2]), int(x.shape[3])) for x in features]
    centres, signed_strides = decode.constants(sizes)
    bins = bins.reshape([-1, len(centres), 4, decode.bins])
    steps = paddle.to_tensor(np.arange(decode.bins, dtype=np.float32)[:, None])
    distances = paddle.matmul(functional.softmax(bins, axis=-1), steps).reshape([-1, len(centres), 4])
    return distances * paddle.to_tensor(signed_strides) + paddle.to_tensor(centres)
