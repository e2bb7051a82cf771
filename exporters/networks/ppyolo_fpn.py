"""The necks of PP-YOLO (arXiv 2007.12099) and PP-YOLOv2 (arXiv 2104.10419).

Structure and names: PaddleDetection ppdet/modeling/necks/yolo_fpn.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import paddle
from paddle import Tensor, concat, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import SPP, ConvNorm
from pose_onnx.exporters.networks._yolo_blocks import CoordConv, conv_norm, doubled
from pose_onnx.exporters.networks.yolo_fpn import RoutedBlock, TopDown

NARROWEST: Final = 64
"""Channels of PP-YOLO's blocks at the highest resolution, halved; each lower level has twice as many."""
ROUTE: Final = 256
"""Channels that PP-YOLO's lowest level passes on; each next level passes on half of them."""
WIDTH: Final = 512
"""Channels of PP-YOLOv2's blocks at the lowest resolution; each higher level has half of them."""
PAIRS: Final = 3
"""Pairs of convolutions in a block of PP-YOLOv2."""

Layers = list[tuple[str, nn.Layer]]


def ppyolo_fpn(
    c_in: Sequence[int], *, pairs: int = 2, spp: bool = False, coordinates: bool = False
) -> TopDown:
    """Make the neck of PP-YOLO.

    Args:
        c_in: channels of the features, highest resolution first.
        pairs: of convolutions in a block, 2 or 0.
        spp: whether the block of the lowest resolution has pyramid pooling.
        coordinates: whether convolutions see where they are.
    """
    levels = range(len(c_in))
    widths = [NARROWEST << (len(c_in) - level) for level in levels]
    routes = [(widths[level], ROUTE >> level) for level in levels[:-1]]
    joined = [
        c + route for c, route in zip(reversed(c_in), [0, *(after for _, after in routes)], strict=True)
    ]
    blocks = [
        _block(joined[level], widths[level], pairs, spp=spp and level == 0, coordinates=coordinates)
        for level in levels
    ]
    return TopDown(blocks, routes, [2 * width for width in widths])


def _block(c_in: int, width: int, pairs: int, *, spp: bool, coordinates: bool) -> RoutedBlock:
    make: Callable[[int, int, int], nn.Layer] = CoordConv if coordinates else conv_norm
    convs: Layers = []
    for pair in range(pairs):
        convs.append((f"conv{2 * pair}", make(c_in, width, 1)))
        convs.append((f"conv{2 * pair + 1}", conv_norm(width, 2 * width, 3)))
        c_in = 2 * width
    if spp:
        # Before the last convolution of 3 x 3, or at the start where there is none.
        place = max(len(convs) - 1, 0)
        convs.insert(place, ("spp", SPP(width if pairs else c_in, conv_norm)))
    convs.append(("route", make(c_in, width, 1)))
    return RoutedBlock(convs, make(width, 2 * width, 3))


def mish(x: Tensor) -> Tensor:
    """The activation of PP-YOLOv2's neck (arXiv 1908.08681)."""
    return functional.mish(x)


def _mish_norm(c_in: int, c_out: int, kernel: int, stride: int = 1) -> ConvNorm:
    return conv_norm(c_in, c_out, kernel, stride=stride, activation=mish)


class CSPBlock(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Half of the channels pass pairs of convolutions (arXiv 1911.11929)."""

    def __init__(self, c_in: int, width: int, *, spp: bool = False) -> None:
        super().__init__()
        self.conv1 = _mish_norm(c_in, width, 1)
        self.conv2 = _mish_norm(c_in, width, 1)
        self.conv3 = _mish_norm(2 * width, 2 * width, 1)
        self.conv_module = nn.Sequential()
        for pair in range(PAIRS):
            self.conv_module.add_sublayer(f"{pair}.0", _mish_norm(width, width, 1))
            if spp and pair == 1:  # in the place of a convolution
                self.conv_module.add_sublayer("spp", SPP(width, _mish_norm))
            else:
                self.conv_module.add_sublayer(f"{pair}.1", _mish_norm(width, width, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, 2 * width, H, W)."""
        return self.conv3(concat([self.conv_module(self.conv1(x)), self.conv2(x)], axis=1))


class PPYOLOPAN(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """The neck of PP-YOLOv2: from low resolution to high, and back.

    Args:
        c_in: channels of the features, highest resolution first.
    """

    def __init__(self, c_in: Sequence[int]) -> None:
        super().__init__()
        levels = len(c_in)
        widths = [WIDTH >> level for level in range(levels)]
        for level, c in enumerate(reversed(c_in)):
            raised = widths[level - 1] if level else 0
            self.add_sublayer(f"fpn.{level}", CSPBlock(c + raised, widths[level], spp=level == 0))
            if level < levels - 1:
                self.add_sublayer(f"fpn_transition.{level}", _mish_norm(2 * widths[level], widths[level], 1))
        for level in reversed(range(levels - 1)):
            higher = 2 * widths[level + 1]
            self.add_sublayer(f"pan_transition.{level}", _mish_norm(higher, higher, 3, 2))
            self.add_sublayer(f"pan.{level}", CSPBlock(2 * widths[level] + higher, widths[level]))
        self._levels = levels
        self.channels = tuple(2 * width for width in widths)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(N, C_i, H_i, W_i) each, highest resolution first -> a result for each, lowest first."""
        inner: list[Tensor] = []
        for level, feature in enumerate(reversed(features)):
            x = feature
            if inner:
                raised = doubled(getattr(self, f"fpn_transition.{level - 1}")(inner[-1]))
                x = concat([raised, feature], axis=1)
            inner.append(getattr(self, f"fpn.{level}")(x))
        results = [inner[-1]]
        for level in reversed(range(self._levels - 1)):
            lowered = getattr(self, f"pan_transition.{level}")(results[0])
            results.insert(0, getattr(self, f"pan.{level}")(paddle.concat([lowered, inner[level]], axis=1)))
        return results
