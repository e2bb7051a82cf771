"""LC-PAN: PicoDet's path aggregation neck made of LCNet blocks.

Structure: PaddleDetection ppdet/modeling/necks/lc_pan.py with four feature levels.
"""

from __future__ import annotations

from collections.abc import Sequence

from paddle import nn

from pose_onnx.exporters.networks.lcnet import Block, DepthwiseSeparable
from pose_onnx.exporters.networks.pan import KERNEL, PathAggregation


def _merge(channels: int) -> nn.Sequential:
    """Two concatenated feature maps of `channels` each -> one of `channels`."""
    both = 2 * channels
    return nn.Sequential(
        DepthwiseSeparable(Block(KERNEL, both, both, 1, excite=False)),
        DepthwiseSeparable(Block(KERNEL, both, channels, 1, excite=False)),
    )


class LCPAN(PathAggregation):
    """Features at strides 8, 16, 32 -> features at strides 8, 16, 32, 64.

    Args:
        c_in: channels of the input features, highest resolution first.
        channels: of every output feature.
    """

    def __init__(self, c_in: Sequence[int], channels: int) -> None:
        super().__init__(c_in, channels, _merge)
