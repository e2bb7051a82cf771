"""TinyPose: Lite-HRNet "wider naive" of width 40 with an iterative head (torch).

The structure follows Yu et al., "Lite-HRNet: A Lightweight High-Resolution Network"
(CVPR 2021), in the variant that PaddleDetection ships as PP-TinyPose. The network is
cut into units, one per fused stage, because training in stages feeds and reads it at
every cut.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.layers import ConvNorm, conv, depthwise
from training.norm import BatchNorm, interleave

JOINTS: Final = 17
STEM_CHANNELS: Final = 32
WIDTHS: Final = (40, 80, 160, 320)  # channels per branch, full to eighth of the heatmap size
MODULES_PER_STAGE: Final = (2, 4, 2)  # stages with 2, 3, 4 branches
BLOCKS_PER_BRANCH: Final = 2
OUTPUT_STD: Final = 0.01  # initial weights of the output: heatmaps start near their mean, zero

Features = list[Tensor]
Unit = Callable[[Features], Features]


def _unit(convolution: nn.Conv2d, act: str = "none") -> ConvNorm:
    return ConvNorm(convolution, act, "norm")


class Stem(nn.Module):
    """Image (N,3,H,W) to (N,32,H/4,W/4)."""

    def __init__(self) -> None:
        """Build the two-branch stem."""
        super().__init__()
        half = STEM_CHANNELS // 2
        self.conv1 = _unit(conv(3, STEM_CHANNELS, 3, 2), "relu")
        self.branch1 = nn.Sequential(_unit(depthwise(half, 3, 2)), _unit(conv(half, half, 1), "relu"))
        self.expand_conv = _unit(conv(half, STEM_CHANNELS, 1), "relu")
        self.depthwise_conv = _unit(depthwise(STEM_CHANNELS, 3, 2))
        self.linear_conv = _unit(conv(STEM_CHANNELS, half, 1), "relu")

    def forward(self, x: Tensor) -> Tensor:
        """Run the stem."""
        first, second = self.conv1(x).chunk(2, 1)
        second = self.linear_conv(self.depthwise_conv(self.expand_conv(second)))
        return interleave(self.branch1(first), second)


class ShuffleBlock(nn.Module):
    """Half of the channels go through pointwise-depthwise-pointwise; both halves are then interleaved."""

    def __init__(self, channels: int) -> None:
        """Build a block of `channels` in and out."""
        super().__init__()
        half = channels // 2
        self.branch2 = nn.Sequential(
            _unit(conv(half, half, 1), "relu"),
            _unit(depthwise(half, 3)),
            _unit(conv(half, half, 1), "relu"),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        kept, changed = x.chunk(2, 1)
        return interleave(kept, self.branch2(changed))


def _down(cin: int, cout: int, *, relu: bool) -> nn.Sequential:
    return nn.Sequential(
        depthwise(cin, 3, 2),
        BatchNorm(cin),
        conv(cin, cout, 1),
        BatchNorm(cout, "relu" if relu else "none"),
    )


def _fuse_path(source: int, target: int) -> nn.Module:
    """Path that brings branch `source` to the resolution and width of branch `target`."""
    cin, cout = WIDTHS[source], WIDTHS[target]
    if source == target:
        return nn.Identity()
    if source > target:
        up = nn.Upsample(scale_factor=2.0 ** (source - target), mode="nearest")
        return nn.Sequential(conv(cin, cout, 1), BatchNorm(cout), up)
    steps = [_down(cin, cin, relu=True) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, _down(cin, cout, relu=False))


class FusedModule(nn.Module):
    """Shuffle blocks on every branch, then the exchange between the branches."""

    def __init__(self, branches: int) -> None:
        """Build a module of the first `branches` widths."""
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(*[ShuffleBlock(width) for _ in range(BLOCKS_PER_BRANCH)])
            for width in WIDTHS[:branches]
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fuse_path(j, i) for j in range(branches)) for i in range(branches)
        )

    def blocks(self, features: Features) -> Features:
        """Every branch through its own blocks."""
        return [layer(x) for layer, x in zip(self.layers, features, strict=True)]

    def exchange(self, features: Features) -> Features:
        """Every branch becomes a sum over all branches.

        Two quirks of the original are kept: branch 0 is added twice in its own sum
        (and so is its path into every other branch), and the other branches read
        branch 0 after, not before, its own sum.
        """
        out = list(features)
        fused: Features = []
        for i, row in enumerate(self.fuse_layers):
            paths = list(row.children())
            total = torch.add(paths[1](out[1]), paths[0](out[0]), alpha=2)
            for j in range(2, len(out)):
                total = total + paths[j](out[j])
            if i == 0:
                out[0] = total
            fused.append(functional.relu(total))
        return fused


class Projection(nn.Module):
    """Separable convolution of the head."""

    def __init__(self, cin: int, cout: int) -> None:
        """Build the convolution."""
        super().__init__()
        self.depthwise_conv = _unit(depthwise(cin, 3))
        self.pointwise_conv = _unit(conv(cin, cout, 1), "relu")

    def forward(self, x: Tensor) -> Tensor:
        """Project."""
        return self.pointwise_conv(self.depthwise_conv(x))


class IterativeHead(nn.Module):
    """From the coarsest branch upwards; the finest result (N,40,H/4,W/4) is returned."""

    def __init__(self) -> None:
        """Build one projection per branch."""
        super().__init__()
        widths = WIDTHS[::-1]
        pairs = zip(widths, (*widths[1:], widths[-1]), strict=True)
        self.projects = nn.ModuleList(Projection(cin, cout) for cin, cout in pairs)

    def forward(self, features: Features) -> Tensor:
        """Run the head."""
        last = self.projects[0](features[-1])
        for x, project in zip(features[-2::-1], list(self.projects)[1:], strict=True):
            wide = functional.interpolate(last, x.shape[-2:], mode="bilinear", align_corners=True)
            last = project(x + wide)
        return last


def _transition(cin: int, branch: int) -> nn.Sequential:
    if branch == 0:
        cout = WIDTHS[0]
        return nn.Sequential(
            depthwise(cin, 3),
            BatchNorm(cin),
            conv(cin, cout, 1),
            BatchNorm(cout, "relu"),
        )
    return nn.Sequential(_down(cin, WIDTHS[branch], relu=True))


class Backbone(nn.Module):
    """Stem, three stages with their transitions, and the iterative head."""

    def __init__(self) -> None:
        """Build all parts."""
        super().__init__()
        self.stem = Stem()
        self.transition0 = nn.ModuleList([_transition(STEM_CHANNELS, b) for b in (0, 1)])
        self.transition1 = nn.ModuleList([nn.Identity(), nn.Identity(), _transition(WIDTHS[1], 2)])
        self.transition2 = nn.ModuleList([*(nn.Identity() for _ in range(3)), _transition(WIDTHS[2], 3)])
        for stage, count in enumerate(MODULES_PER_STAGE):
            modules = [FusedModule(stage + 2) for _ in range(count)]
            self.add_module(f"stage{stage}", nn.Sequential(*modules))
        self.head_layer = IterativeHead()


def _in_turn(units: list[Unit], features: Features) -> Features:
    for unit in units:
        features = unit(features)
    return features


class TinyPose(nn.Module):
    """Image (N,3,H,W), normalised, to heatmaps (N,17,H/4,W/4)."""

    def __init__(self, *, fine: bool = False) -> None:
        """Build the network with random initial values.

        Args:
            fine: Also cut modules into transition, blocks and exchange.
        """
        super().__init__()
        self.fine = fine
        self.backbone = Backbone()
        self.final_conv = nn.Conv2d(WIDTHS[0], JOINTS, 1)
        nn.init.normal_(self.final_conv.weight, std=OUTPUT_STD)
        nn.init.constant_(self.final_conv.get_parameter("bias"), 0.0)

    def unit_count(self) -> int:
        """Number of units that `run_unit` knows."""
        return len(self._units())

    def run_unit(self, index: int, features: Features) -> Features:
        """Run unit `index` on the output of unit `index - 1` (the image for unit 0)."""
        return self._units()[index](features)

    def _units(self) -> list[Unit]:
        """Stem, modules (the first of a stage with its transition), head."""
        net = self.backbone
        groups: list[list[Unit]] = [[lambda f: [net.stem(f[0])]]]
        for stage, count in enumerate(MODULES_PER_STAGE):
            for position in range(count):
                module = net.get_submodule(f"stage{stage}.{position}")
                entry = [partial(self._enter, stage)] if position == 0 else []
                groups.append([*entry, module.blocks, module.exchange])
        groups.append([lambda f: [self.final_conv(net.head_layer(f))]])
        if self.fine:
            return [unit for group in groups for unit in group]
        return [partial(_in_turn, group) for group in groups]

    def _enter(self, stage: int, features: Features) -> Features:
        """Add the stage's new branch, made from the coarsest branch so far."""
        paths = self.backbone.get_submodule(f"transition{stage}").children()
        inputs = [*features, features[-1]]
        return [path(x) for path, x in zip(paths, inputs, strict=True)]

    def forward(self, image: Tensor) -> Tensor:
        """Run all units."""
        features = [image]
        for index in range(self.unit_count()):
            features = self.run_unit(index, features)
        return features[0]
