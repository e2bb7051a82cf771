"""The neck of YOLOv3 (arXiv 1804.02767), and that of PP-YOLO-tiny, which has its form.

Structure and names: PaddleDetection ppdet/modeling/necks/yolo_fpn.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from paddle import Tensor, concat, nn

from pose_onnx.exporters.networks._blocks import SPP
from pose_onnx.exporters.networks._yolo_blocks import conv_norm, doubled

WIDTH: Final = 512
"""Channels of YOLOv3's blocks at the lowest resolution; each next one has half of them."""
TINY_KERNEL: Final = 5


class RoutedBlock(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Convolutions one after the other, and one more ("tip") that the next level does not see."""

    def __init__(self, convs: Sequence[tuple[str, nn.Layer]], tip: nn.Layer) -> None:
        super().__init__()
        self.conv_module = nn.Sequential(*convs)
        self.tip = tip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, c_in, H, W) -> what the next level sees, and the result, both of this size."""
        route = self.conv_module(x)
        return route, self.tip(route)


def yolov3_block(c_in: int, channels: int) -> RoutedBlock:
    """Make a block of YOLOv3: to few channels and back, three times."""
    convs = [
        ("conv0", conv_norm(c_in, channels, 1)),
        ("conv1", conv_norm(channels, 2 * channels, 3)),
        ("conv2", conv_norm(2 * channels, channels, 1)),
        ("conv3", conv_norm(channels, 2 * channels, 3)),
        ("route", conv_norm(2 * channels, channels, 1)),
    ]
    return RoutedBlock(convs, conv_norm(channels, 2 * channels, 3))


def tiny_block(number: int, c_in: int, channels: int) -> RoutedBlock:
    """Make a block of PP-YOLO-tiny: pointwise and depthwise, twice. Its name is in those of its layers."""
    name = f"yolo_block.{number}"
    convs = [
        (f"{name}.0", conv_norm(c_in, channels, 1)),
        (f"{name}.1", conv_norm(channels, channels, TINY_KERNEL, groups=channels)),
        (f"{name}.2", conv_norm(channels, channels, 1)),
        (f"{name}.route", conv_norm(channels, channels, TINY_KERNEL, groups=channels)),
    ]
    return RoutedBlock(convs, conv_norm(channels, channels, 1))


class TopDown(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features of increasing stride -> results of decreasing stride, of `channels`.

    Args:
        blocks: of the levels, the lowest resolution first.
        routes: channels of what a level passes on, before and after the convolution on the way.
        channels: of the results.
        spp: what the features of the lowest resolution pass first, if anything.
    """

    def __init__(
        self,
        blocks: Sequence[nn.Layer],
        routes: Sequence[tuple[int, int]],
        channels: Sequence[int],
        spp: nn.Layer | None = None,
    ) -> None:
        super().__init__()
        self._pools = spp is not None
        if spp is not None:
            self.spp = spp
        self._levels = len(blocks)
        for level, block in enumerate(blocks):
            self.add_sublayer(f"yolo_block.{level}", block)
            if level < len(routes):
                self.add_sublayer(f"yolo_transition.{level}", conv_norm(*routes[level], 1))
        self.channels = tuple(channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(N, C_i, H_i, W_i) each, highest resolution first -> a result for each, lowest first."""
        results: list[Tensor] = []
        route = None
        for level, feature in enumerate(reversed(features)):
            x = feature
            if route is not None:
                x = concat([route, feature], axis=1)
            elif self._pools:
                x = self.spp(feature)
            route, result = getattr(self, f"yolo_block.{level}")(x)
            results.append(result)
            if level < self._levels - 1:
                route = doubled(getattr(self, f"yolo_transition.{level}")(route))
        return results


def yolov3_fpn(c_in: Sequence[int]) -> TopDown:
    """Make the neck of YOLOv3 for features of these channels, highest resolution first."""
    widths = [WIDTH >> level for level in range(len(c_in))]
    routes = [(width, width // 2) for width in widths[:-1]]
    joined = [
        c + route for c, route in zip(reversed(c_in), [0, *(after for _, after in routes)], strict=True)
    ]
    blocks = [yolov3_block(*sizes) for sizes in zip(joined, widths, strict=True)]
    return TopDown(blocks, routes, [2 * width for width in widths])


def tiny_fpn(c_in: Sequence[int], widths: Sequence[int]) -> TopDown:
    """Make the neck of PP-YOLO-tiny.

    Args:
        c_in: channels of the features, highest resolution first.
        widths: of the results, lowest resolution first.
    """
    joined = [c + route for c, route in zip(reversed(c_in), [0, *widths[:-1]], strict=True)]
    blocks = [tiny_block(i, c, width) for i, (c, width) in enumerate(zip(joined, widths, strict=True))]
    routes = [(width, width) for width in widths[:-1]]
    return TopDown(blocks, routes, widths, SPP(c_in[-1], conv_norm))
