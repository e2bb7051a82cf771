"""PicoDet-S-LCNet-Pedestrian: LCNet x0.75, LC-PAN of 96 channels, PicoHeadV2 (torch).

The structure follows Yu et al., "PP-PicoDet" (arXiv 2111.00902), in PaddleDetection's
2022 variant. Like TinyPose, it is cut into units for training in stages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.layers import ConvNorm, conv, depthwise
from training.norm import BatchNorm

STRIDES: Final = (8, 16, 32, 64)
REG_BINS: Final = 8  # bins per side of a box: 0..7 strides
CHANNELS: Final = 96  # of neck and head
HEAD_DEPTH: Final = 2  # separable convolutions per level of the head
SCORE_EPS: Final = 1e-9  # under the root of the joint score, as in PaddleDetection
# LCNet x0.75: (kernel, in, out, stride, squeeze-excitation) of each block
STAGES: Final = {
    "blocks2": [(3, 16, 24, 1, False)],
    "blocks3": [(3, 24, 48, 2, False), (3, 48, 48, 1, False)],
    "blocks4": [(3, 48, 96, 2, False), (3, 96, 96, 1, False)],
    "blocks5": [(3, 96, 192, 2, False)] + [(5, 192, 192, 1, False)] * 5,
    "blocks6": [(5, 192, 384, 2, True), (5, 384, 384, 1, True)],
}
PYRAMID_INPUTS: Final = (96, 192, 384)

Features = list[Tensor]


def _bn_unit(convolution: nn.Conv2d) -> ConvNorm:
    return ConvNorm(convolution, "hardswish", "bn")


def _norm_unit(convolution: nn.Conv2d) -> ConvNorm:
    return ConvNorm(convolution, "hardswish", "norm")


class SqueezeExcitation(nn.Module):
    """Channel gates from the spatial mean."""

    def __init__(self, channels: int) -> None:
        """Build gates for `channels`, through a quarter of them."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels // 4, 1)
        self.conv2 = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Gate `x`."""
        mean = x.mean((2, 3), keepdim=True)
        return x * functional.hardsigmoid(self.conv2(functional.relu(self.conv1(mean))))


class Separable(nn.Module):
    """Depthwise, optional gates, pointwise."""

    def __init__(self, kernel: int, cin: int, cout: int, stride: int, gates: bool) -> None:  # noqa: FBT001 (a row of STAGES)
        """Build the block."""
        super().__init__()
        self.dw_conv = _bn_unit(depthwise(cin, kernel, stride))
        if gates:
            self.se = SqueezeExcitation(cin)
        self.pw_conv = _bn_unit(conv(cin, cout, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        for layer in self.children():
            x = layer(x)
        return x


class DepthPoint(nn.Module):
    """Depthwise and pointwise convolution with batch norms `bn1`, `bn2`."""

    def __init__(self, cin: int, cout: int, stride: int, last_act: str) -> None:
        """Build the block; the depthwise part already has `cout` outputs."""
        super().__init__()
        self.dwconv = conv(cin, cout, 5, stride, groups=cout)
        self.bn1 = BatchNorm(cout, "hardswish")
        self.pwconv = conv(cout, cout, 1)
        self.bn2 = BatchNorm(cout, last_act)

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        x = self.bn1(self.dwconv(x))
        return self.bn2(self.pwconv(x))


class LCNet(nn.Module):
    """Backbone with features at strides 8, 16, 32."""

    blocks2: nn.Sequential
    blocks3: nn.Sequential
    blocks4: nn.Sequential
    blocks5: nn.Sequential
    blocks6: nn.Sequential

    def __init__(self) -> None:
        """Build stem and stages."""
        super().__init__()
        self.conv1 = _bn_unit(conv(3, 16, 3, 2))
        for name, blocks in STAGES.items():
            self.add_module(name, nn.Sequential(*[Separable(*block) for block in blocks]))


class Laterals(nn.Module):
    """One pointwise convolution per feature of the backbone."""

    def __init__(self) -> None:
        """Build the convolutions."""
        super().__init__()
        self.convs = nn.ModuleList(_bn_unit(conv(c, CHANNELS, 1)) for c in PYRAMID_INPUTS)


class LCPAN(nn.Module):
    """Path aggregation neck: three inputs to four levels."""

    def __init__(self) -> None:
        """Build the paths."""
        super().__init__()
        self.conv_t = Laterals()

        def block() -> nn.Sequential:
            return nn.Sequential(
                Separable(5, 2 * CHANNELS, 2 * CHANNELS, 1, False),
                Separable(5, 2 * CHANNELS, CHANNELS, 1, False),
            )

        def down() -> DepthPoint:
            return DepthPoint(CHANNELS, CHANNELS, 2, "hardswish")

        self.first_top_conv, self.second_top_conv = down(), down()
        self.top_down_blocks = nn.ModuleList([block(), block()])
        self.downsamples = nn.ModuleList([down(), down()])
        self.bottom_up_blocks = nn.ModuleList([block(), block()])

    def _up(self, index: int, coarse: Tensor, fine: Tensor) -> Tensor:
        wide = functional.interpolate(coarse, scale_factor=2.0)
        return self.top_down_blocks[index](torch.cat([wide, fine], 1))

    def _down(self, index: int, fine: Tensor, coarse: Tensor) -> Tensor:
        small = self.downsamples[index](fine)
        return self.bottom_up_blocks[index](torch.cat([small, coarse], 1))

    def first_up(self, features: Features) -> Features:
        """Strides 8, 16, 32 of the backbone to: backbone 8, top-down 16, lateral 32."""
        lateral = self.conv_t.convs
        c8, c16, c32 = features
        t32 = lateral[2](c32)
        return [c8, self._up(0, t32, lateral[1](c16)), t32]

    def second_up(self, features: Features) -> Features:
        """... to: top-down 8 and 16, lateral 32."""
        c8, m16, t32 = features
        return [self._up(1, m16, self.conv_t.convs[0](c8)), m16, t32]

    def first_down(self, features: Features) -> Features:
        """... to: level 8, level 16, lateral 32."""
        p8, m16, t32 = features
        return [p8, self._down(0, p8, m16), t32]

    def second_down(self, features: Features) -> Features:
        """... to levels 8, 16, 32, 64."""
        p8, p16, t32 = features
        p32 = self._down(1, p16, t32)
        return [p8, p16, p32, self.first_top_conv(t32) + self.second_top_conv(p32)]


class PicoSE(nn.Module):
    """Channel gates of the head, followed by a pointwise convolution."""

    def __init__(self) -> None:
        """Build the gate."""
        super().__init__()
        self.fc = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.conv = _norm_unit(conv(CHANNELS, CHANNELS, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Gate `x` by its own mean."""
        return self.conv(x * torch.sigmoid(self.fc(x.mean((2, 3), keepdim=True))))


class PicoHead(nn.Module):
    """PicoHeadV2 for one class: score logits and box distributions per level."""

    def __init__(self) -> None:
        """Build all four levels."""
        super().__init__()
        levels = range(len(STRIDES))
        self.conv_feat = nn.Module()
        for i in levels:
            deep = [_norm_unit(depthwise(CHANNELS, 5)) for _ in range(HEAD_DEPTH)]
            point = [_norm_unit(conv(CHANNELS, CHANNELS, 1)) for _ in range(HEAD_DEPTH)]
            self.conv_feat.add_module(f"cls_conv_dw{i}", nn.ModuleList(deep))
            self.conv_feat.add_module(f"cls_conv_pw{i}", nn.ModuleList(point))
        self.conv_feat.se = nn.ModuleList(PicoSE() for _ in levels)
        self.head_cls_list = nn.ModuleList(nn.Conv2d(CHANNELS, 1, 1) for _ in levels)
        self.head_reg_list = nn.ModuleList(nn.Conv2d(CHANNELS, 4 * REG_BINS, 1) for _ in levels)
        self.cls_align = nn.ModuleList(DepthPoint(CHANNELS, 1, 1, "none") for _ in levels)

    def level(self, i: int, x: Tensor) -> Tensor:
        """Raw maps (N, 2 + 32, h, w) of level `i`: class logit, align logit, 4x8 box bins."""
        for dw, pw in zip(
            self.conv_feat.get_submodule(f"cls_conv_dw{i}").children(),
            self.conv_feat.get_submodule(f"cls_conv_pw{i}").children(),
            strict=True,
        ):
            x = pw(dw(x))
        gated = self.conv_feat.get_submodule(f"se.{i}")(x)
        return torch.cat(
            [self.head_cls_list[i](gated), self.cls_align[i](x), self.head_reg_list[i](gated)], 1
        )


class PicoDet(nn.Module):
    """Image (N,3,S,S), normalised, to raw maps per location."""

    def __init__(self) -> None:
        """Build the network with torch's default initial values."""
        super().__init__()
        self.backbone = LCNet()
        self.neck = LCPAN()
        self.head = PicoHead()

    def unit_count(self) -> int:
        """Number of units that `run_unit` knows."""
        return len(self._units())

    def run_unit(self, index: int, features: Features) -> Features:
        """Run unit `index` on the output of unit `index - 1` (the image for unit 0)."""
        return self._units()[index](features)

    def _units(self) -> list[Callable[[Features], Features]]:
        """Backbone, neck, head; a unit passes on the finer features that a later unit needs."""
        net, neck = self.backbone, self.neck
        half = len(net.blocks5) // 2
        return [
            lambda f: [net.blocks2(net.conv1(f[0]))],
            lambda f: [net.blocks3(f[0])],
            lambda f: [net.blocks4(f[0])],
            lambda f: [f[0], net.blocks5[:half](f[0])],
            lambda f: [f[0], net.blocks5[half:](f[1])],
            lambda f: [*f, net.blocks6(f[1])],
            neck.first_up,
            neck.second_up,
            neck.first_down,
            neck.second_down,
            lambda f: [self.head.level(i, x) for i, x in enumerate(f)],
        ]

    def forward(self, image: Tensor) -> Tensor:
        """Raw maps of all levels, flattened to (N, A, 34)."""
        features = [image]
        for index in range(self.unit_count()):
            features = self.run_unit(index, features)
        return flatten_levels(features)


def flatten_levels(maps: Features) -> Tensor:
    """Raw maps per level, (N,34,h,w) each, to one (N,A,34)."""
    return torch.cat([m.flatten(2) for m in maps], 2).transpose(1, 2)


def scores(raw: Tensor) -> Tensor:
    """Probability of a person per location, (N,A), from raw maps (N,A,34)."""
    return (torch.sigmoid(raw[..., 0]) * torch.sigmoid(raw[..., 1]) + SCORE_EPS).sqrt()


def anchors(size: int) -> tuple[Tensor, Tensor]:
    """Centres (A,2) in network pixels and strides (A,1) of all locations."""
    points, strides = [], []
    for stride in STRIDES:
        steps = torch.arange(-(-size // stride), dtype=torch.float32) + 0.5
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        grid = torch.stack([x, y], -1).reshape(-1, 2) * stride
        points.append(grid)
        strides.append(torch.full((len(grid), 1), float(stride)))
    return torch.cat(points), torch.cat(strides)


def boxes(raw: Tensor, size: int) -> Tensor:
    """Boxes (N,A,4), xyxy in network pixels, from raw maps (N,A,34)."""
    points, strides = (t.to(raw.device) for t in anchors(size))
    bins = raw[..., 2:].unflatten(-1, (4, REG_BINS)).softmax(-1)
    sides = (bins * torch.arange(REG_BINS, device=raw.device)).sum(-1) * strides
    return torch.cat([points - sides[..., :2], points + sides[..., 2:]], -1)
