"""Lite-HRNet (Yu et al., arXiv 2104.06403) with 18 and 30 layers, and the backbone of PP-TinyPose.

The backbone of PP-TinyPose and of WiderNaiveHRNet has shuffle units instead of conditional weighting. Widths
are those of "lite_18", "lite_30" and "wider_naive" in PaddleDetection's
ppdet/modeling/backbones/lite_hrnet.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from paddle import Tensor, concat, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._blocks import ConvNorm, channel_shuffle, conv
from pose_onnx.exporters.networks._top_down import TopDown
from pose_onnx.exporters.networks.conditional_weighting import WeightingBlock

STEM_CHANNELS: Final = 32
BRANCH_CHANNELS: Final = (40, 80, 160, 320)
"""Channels of the branches at 1/4, 1/8, 1/16 and 1/32 of the input size."""
BLOCKS_PER_MODULE: Final = 2


class Stem(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> (N, 32, H/4, W/4)."""

    def __init__(self) -> None:
        super().__init__()
        full, half = STEM_CHANNELS, STEM_CHANNELS // 2
        self.conv1 = ConvNorm(3, full, 3, stride=2, activation=functional.relu)
        self.branch1 = nn.Sequential(
            ConvNorm(half, half, 3, stride=2, groups=half),
            ConvNorm(half, half, 1, activation=functional.relu),
        )
        self.expand_conv = ConvNorm(half, full, 1, activation=functional.relu)
        self.depthwise_conv = ConvNorm(full, full, 3, stride=2, groups=full)
        self.linear_conv = ConvNorm(full, half, 1, activation=functional.relu)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 32, H/4, W/4)."""
        first, second = self.conv1(image).chunk(2, axis=1)
        second = self.linear_conv(self.depthwise_conv(self.expand_conv(second)))
        return channel_shuffle(concat([self.branch1(first), second], axis=1))


class ShuffleUnit(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Half of the channels are unchanged, half are convolved; then both halves are interleaved."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch2 = nn.Sequential(
            ConvNorm(half, half, 1, activation=functional.relu),
            ConvNorm(half, half, 3, groups=half),
            ConvNorm(half, half, 1, activation=functional.relu),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        kept, worked = x.chunk(2, axis=1)
        return channel_shuffle(concat([kept, self.branch2(worked)], axis=1))


def _separable(c_in: int, c_out: int, *, stride: int, rectify: bool) -> nn.Sequential:
    layers = [
        conv(c_in, c_in, 3, stride=stride, groups=c_in),
        nn.BatchNorm2D(c_in),
        conv(c_in, c_out, 1),
        nn.BatchNorm2D(c_out),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if rectify else []))


def _upward(source: int, target: int) -> nn.Sequential:
    """Make the layers from branch `source` to branch `target`, which has a higher resolution."""
    c_in, c_out = BRANCH_CHANNELS[source], BRANCH_CHANNELS[target]
    upsample = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
    return nn.Sequential(conv(c_in, c_out, 1), nn.BatchNorm2D(c_out), upsample)


def _downward(source: int, target: int) -> nn.Sequential:
    """Make the layers from branch `source` to branch `target`, which has a lower resolution."""
    c_in, c_out = BRANCH_CHANNELS[source], BRANCH_CHANNELS[target]
    halvings = [_separable(c_in, c_in, stride=2, rectify=True) for _ in range(target - source - 1)]
    return nn.Sequential(*halvings, _separable(c_in, c_out, stride=2, rectify=False))


def _between(source: int, target: int) -> nn.Sequential | None:
    if source == target:
        return None
    return _upward(source, target) if source > target else _downward(source, target)


class ShuffleBranches(nn.LayerList):  # type: ignore[misc]  # paddle's Layer is untyped
    """Applies two shuffle units to every branch."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__(
            [nn.Sequential(*[ShuffleUnit(width) for _ in range(BLOCKS_PER_MODULE)]) for width in channels]
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch -> the same shapes."""
        return [layer(x) for layer, x in zip(self, branches, strict=True)]


def _weighted_branches(channels: Sequence[int]) -> nn.Sequential:
    """Make two blocks that compute weights from all branches together."""
    return nn.Sequential(*[WeightingBlock(channels) for _ in range(BLOCKS_PER_MODULE)])


class Kind(NamedTuple):
    """One of the networks.

    Attributes:
        modules: number of modules in each stage.
        branches: makes the part of a module before the sums, from the channels of its branches.
    """

    modules: tuple[int, int, int]
    branches: Callable[[Sequence[int]], Any]


WIDER_NAIVE: Final = Kind((2, 4, 2), ShuffleBranches)
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "tinypose": WIDER_NAIVE,
        "lite_hrnet_18": Kind((2, 4, 2), _weighted_branches),
        "lite_hrnet_30": Kind((3, 8, 3), _weighted_branches),
    }
)
"""By architecture."""


class MultiBranchModule(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Applies blocks to the branches, then adds every branch to every other."""

    def __init__(self, kind: Kind, branches: int) -> None:
        super().__init__()
        self.layers = kind.branches(BRANCH_CHANNELS[:branches])
        self.fuse_layers = nn.LayerList(
            [
                nn.LayerList([_between(source, target) for source in range(branches)])
                for target in range(branches)
            ]
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch -> the same shapes."""
        outs = self.layers(branches)
        # The weights were trained with two peculiarities of PaddleDetection's code: branch 0 is added twice
        # to every sum, and the other sums use branch 0 after its own fusion but before its ReLU.
        fused = self._fuse(0, outs)
        sums = [fused, *(self._fuse(i, [fused, *outs[1:]]) for i in range(1, len(outs)))]
        return [functional.relu(x) for x in sums]

    def _fuse(self, target: int, outs: list[Tensor]) -> Tensor:
        first, *others = [
            x if layer is None else layer(x) for layer, x in zip(self.fuse_layers[target], outs, strict=True)
        ]
        total = first + first
        for x in others:
            total = total + x
        return total


class SeparableConvNorm(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Depthwise 3x3 convolution, then a pointwise one to `c_out` channels, and ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.depthwise_conv = ConvNorm(c_in, c_in, 3, groups=c_in)
        self.pointwise_conv = ConvNorm(c_in, c_out, 1, activation=functional.relu)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        return self.pointwise_conv(self.depthwise_conv(x))


class IterativeHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Adds the low resolutions to the higher ones, step by step; returns the highest one."""

    def __init__(self) -> None:
        super().__init__()
        widths = [*reversed(BRANCH_CHANNELS), BRANCH_CHANNELS[0]]
        self.projects = nn.LayerList([SeparableConvNorm(c_in, c_out) for c_in, c_out in pairwise(widths)])

    def forward(self, branches: list[Tensor]) -> Tensor:
        """Four branches, highest resolution first -> (N, 40, H/4, W/4)."""
        lowest, *higher = reversed(branches)
        carried = self.projects[0](lowest)
        for branch, project in zip(higher, list(self.projects)[1:], strict=True):
            size = branch.shape[2:]
            raised = functional.interpolate(carried, size=size, mode="bilinear", align_corners=True)
            carried = project(branch + raised)
        return carried


class LiteHRNet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> (N, 40, H/4, W/4)."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self._stages = range(len(kind.modules))
        self.stem = Stem()
        c_in = STEM_CHANNELS
        for stage, modules in enumerate(kind.modules):
            self.add_sublayer(f"transition{stage}", _transition(stage, c_in))
            blocks = [MultiBranchModule(kind, stage + 2) for _ in range(modules)]
            self.add_sublayer(f"stage{stage}", nn.Sequential(*blocks))
            c_in = BRANCH_CHANNELS[stage + 1]
        self.head_layer = IterativeHead()

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 40, H/4, W/4); H and W multiples of 32."""
        branches = [self.stem(image)]
        for stage in self._stages:
            transition = getattr(self, f"transition{stage}")
            # A stage adds one branch, made from the lowest resolution so far.
            sources = [*branches, branches[-1]]
            branches = [
                x if layer is None else layer(x) for layer, x in zip(transition, sources, strict=True)
            ]
            branches = getattr(self, f"stage{stage}")(branches)
        return self.head_layer(branches)


def _transition(stage: int, c_in: int) -> nn.LayerList:
    """Make the layers that add a branch to a stage whose last branch has `c_in` channels."""
    added = nn.Sequential(_separable(c_in, BRANCH_CHANNELS[stage + 1], stride=2, rectify=True))
    if stage == 0:
        return nn.LayerList([_separable(c_in, BRANCH_CHANNELS[0], stride=1, rectify=True), added])
    return nn.LayerList([*([None] * (stage + 1)), added])


def build(card: ModelCard) -> TopDown:
    """Make the network of a card."""
    return TopDown(LiteHRNet(KINDS[card.architecture]), BRANCH_CHANNELS[0], len(card.keypoints))
