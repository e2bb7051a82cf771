"""The path aggregation (arXiv 1803.01534) that the necks of all PicoDets share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from paddle import Tensor, concat, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import Activation, ConvNorm, DepthwisePointwise

KERNEL: Final = 5


class ChannelTransform(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Gives every feature level the same number of channels."""

    def __init__(self, c_in: Sequence[int], c_out: int, activation: Activation) -> None:
        super().__init__()
        self.convs = nn.LayerList(
            [ConvNorm(c, c_out, 1, activation=activation, norm_name="bn") for c in c_in]
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """(N, c_in[i], h_i, w_i) -> (N, c_out, h_i, w_i) for each level i."""
        return [layer(x) for layer, x in zip(self.convs, features, strict=True)]


class PathAggregation(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features at strides 8, 16, 32 -> features at strides 8, 16, 32, 64.

    Args:
        c_in: channels of the input features, highest resolution first.
        channels: of every output feature.
        merge: makes, for a number of channels, the layer that merges two concatenated features into one.
        activation: of every other layer.
    """

    def __init__(
        self,
        c_in: Sequence[int],
        channels: int,
        merge: Callable[[int], nn.Layer],
        activation: Activation = functional.hardswish,
    ) -> None:
        super().__init__()

        def halve() -> DepthwisePointwise:
            return DepthwisePointwise(channels, channels, KERNEL, stride=2, activation=activation)

        self.conv_t = ChannelTransform(c_in, channels, activation)
        steps = range(len(c_in) - 1)
        self.top_down_blocks = nn.LayerList([merge(channels) for _ in steps])
        self.downsamples = nn.LayerList([halve() for _ in steps])
        self.bottom_up_blocks = nn.LayerList([merge(channels) for _ in steps])
        self.first_top_conv = halve()
        self.second_top_conv = halve()

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Three levels -> four levels of (N, channels, H/s, W/s), s = 8, 16, 32, 64."""
        lateral = self.conv_t(features)
        inner = [lateral[-1]]  # highest resolution first
        for feature, merge in zip(reversed(lateral[:-1]), self.top_down_blocks, strict=True):
            raised = functional.interpolate(inner[0], scale_factor=2, mode="nearest")
            inner.insert(0, merge(concat([raised, feature], axis=1)))
        outs = [inner[0]]
        steps = zip(inner[1:], self.downsamples, self.bottom_up_blocks, strict=True)
        for feature, halve, merge in steps:
            outs.append(merge(concat([halve(outs[-1]), feature], axis=1)))
        return [*outs, self.first_top_conv(lateral[-1]) + self.second_top_conv(outs[-1])]
