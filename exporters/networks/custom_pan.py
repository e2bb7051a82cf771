"""CustomCSPPAN, the neck of PP-YOLOE (arXiv 2203.16250).

Structure: PaddleDetection ppdet/modeling/necks/custom_pan.py, with pyramid pooling in the first stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from paddle import Tensor, concat, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import SPP
from pose_onnx.exporters.networks.cspresnet import BasicBlock, conv_norm, scaled

CHANNELS: Final = (768, 384, 192)
"""Channels of the outputs, lowest resolution first, before the width factor."""
BLOCKS: Final = 3  # of a stage, before the depth factor


class CSPStage(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Half of the channels go through the blocks (arXiv 1911.11929).

    Args:
        c_in: input channels.
        c_out: output channels.
        blocks: number of blocks.
        pyramid: whether pyramid pooling follows the middle block.
    """

    def __init__(self, c_in: int, c_out: int, blocks: int, *, pyramid: bool = False) -> None:
        super().__init__()
        half = c_out // 2
        self.conv1 = conv_norm(c_in, half, 1)
        self.conv2 = conv_norm(c_in, half, 1)
        self.convs = nn.Sequential()
        for i in range(blocks):
            self.convs.add_sublayer(str(i), BasicBlock(half, shortcut=False))
            if pyramid and i == (blocks - 1) // 2:
                self.convs.add_sublayer("spp", SPP(half, conv_norm))
        self.conv3 = conv_norm(2 * half, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        return self.conv3(concat([self.conv1(x), self.convs(self.conv2(x))], axis=1))


class CustomCSPPAN(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features at strides 8, 16, 32 -> features at strides 32, 16, 8.

    Args:
        c_in: channels of the input features, highest resolution first.
        depth: factor for the number of blocks.
        width: factor for the channels; the attribute `channels` lists those of the outputs, lowest resolution
            first.
    """

    def __init__(self, c_in: Sequence[int], depth: float, width: float) -> None:
        super().__init__()
        blocks = scaled(BLOCKS, depth)
        self.channels = tuple(scaled(c, width) for c in CHANNELS)
        steps = range(len(self.channels) - 1)
        raised = [0, *(c // 2 for c in self.channels[:-1])]
        joined = [c + r for c, r in zip(reversed(c_in), raised, strict=True)]
        # In PaddleDetection each stage is in a sequence of its own: hence the 0 in the names.
        self.fpn_stages = nn.LayerList(
            [
                nn.Sequential(CSPStage(c, out, blocks, pyramid=i == 0))
                for i, (c, out) in enumerate(zip(joined, self.channels, strict=True))
            ]
        )
        self.fpn_routes = nn.LayerList([conv_norm(c, c // 2, 1) for c in self.channels[:-1]])
        lower, higher = self.channels[:-1], self.channels[1:]
        self.pan_routes = nn.LayerList([conv_norm(c, c, 3, stride=2) for c in higher])
        self.pan_stages = nn.LayerList(
            [nn.Sequential(CSPStage(lower[i] + higher[i], lower[i], blocks)) for i in steps]
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Three levels of (N, channels[i], H/s, W/s), s = 32, 16, 8."""
        inner: list[Tensor] = []  # lowest resolution first
        for i, feature in enumerate(reversed(features)):
            if inner:
                raised = functional.interpolate(
                    self.fpn_routes[i - 1](inner[-1]), scale_factor=2, mode="nearest"
                )
                feature = concat([raised, feature], axis=1)  # noqa: PLW2901 (the same feature, enriched)
            inner.append(self.fpn_stages[i](feature))
        outs = [inner[-1]]
        for i in reversed(range(len(inner) - 1)):
            lowered = self.pan_routes[i](outs[0])
            outs.insert(0, self.pan_stages[i](concat([lowered, inner[i]], axis=1)))
        return outs
