"""ST-GCN (arXiv 1801.07455) on COCO's joints: recognises a person's action in a window of poses."""

from __future__ import annotations

from typing import Final

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import ExportError
from pose_onnx.exporters.networks._links import JOINTS, adjacency

COORDINATES: Final = 2
PARTS: Final = 3
"""Number of parts that links are divided into: see `adjacency`."""
FRAMES_SEEN: Final = 9
"""Kernel size, in frames, of a convolution over time."""
WIDTHS: Final = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
"""Channels after each block; where they grow, every second frame is dropped."""


class GraphConv(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Convolution over the links: a joint sums its linked joints, with separate weights for each part."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2D(c_in, PARTS * c_out, 1)

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        """(N, c_in, T, K), (3, K, K) -> (N, c_out, T, K)."""
        parts = paddle.split(self.conv(x), PARTS, axis=1)
        first, second, third = (paddle.matmul(part, links[index]) for index, part in enumerate(parts))
        return first + second + third


class Block(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Convolution over the links, convolution over time, and a shortcut."""

    def __init__(self, c_in: int, c_out: int, *, is_first: bool) -> None:
        super().__init__()
        stride = 1 if is_first or c_in == c_out else 2
        self.gcn = GraphConv(c_in, c_out)
        self.tcn = nn.Sequential(
            nn.BatchNorm2D(c_out),
            nn.ReLU(),
            nn.Conv2D(c_out, c_out, (FRAMES_SEEN, 1), (stride, 1), (FRAMES_SEEN // 2, 0)),
            nn.BatchNorm2D(c_out),
        )
        self.is_first = is_first
        if stride != 1:
            self.residual = nn.Sequential(nn.Conv2D(c_in, c_out, 1, (stride, 1)), nn.BatchNorm2D(c_out))

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        """(N, c_in, T, K), (3, K, K) -> (N, c_out, T / stride, K)."""
        y = self.tcn(self.gcn(x, links))
        if self.is_first:
            return functional.relu(y)
        return functional.relu(y + (self.residual(x) if hasattr(self, "residual") else x))


class Backbone(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Applies batch norm to the coordinates, then the blocks."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.register_buffer("A", paddle.to_tensor(adjacency()))
        self.data_bn = nn.BatchNorm1D(JOINTS * COORDINATES)
        channels = (COORDINATES, *WIDTHS)
        self.st_gcn_networks = nn.LayerList(
            [Block(channels[i], channels[i + 1], is_first=i == 0) for i in range(len(WIDTHS))]
        )
        ones = nn.initializer.Constant(1.0)
        self.edge_importance = nn.ParameterList(
            [
                self.create_parameter([PARTS, JOINTS, JOINTS], default_initializer=ones)
                for _ in range(len(WIDTHS))
            ]
        )

    def forward(self, window: Tensor) -> Tensor:
        """(N, 2, T, K, 1) -> (N, 256, T / 4, K)."""
        x = window.transpose([0, 4, 3, 1, 2]).reshape([-1, JOINTS * COORDINATES, self.frames])
        x = self.data_bn(x).reshape([-1, JOINTS, COORDINATES, self.frames]).transpose([0, 2, 3, 1])
        for index, block in enumerate(self.st_gcn_networks):
            # By index: a loop over the list itself would not be traced.
            x = block(x, self.A * self.edge_importance[index])
        return x


class Head(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Takes the mean over frames and joints, and computes a logit for each class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fcn = nn.Conv2D(WIDTHS[-1], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 256, T, K) -> (N, C)."""
        # 0 keeps the batch size. C is not stated, so that one template serves any number of classes.
        return self.fcn(functional.adaptive_avg_pool2d(x, 1)).reshape([0, -1])


class StGcn(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """ST-GCN for one person.

    Args:
        frames: T, the number of frames in a window.
        classes: C, the number of classes.
    """

    def __init__(self, frames: int, classes: int) -> None:
        super().__init__()
        self.backbone = Backbone(frames)
        self.head = Head(classes)

    def forward(self, window: Tensor) -> Tensor:
        """(N, 2, T, K, 1) -> logits (N, C)."""
        return self.head(self.backbone(window))


def build(card: ModelCard) -> StGcn:
    """Make the network of a card.

    Raises:
        ExportError: The card's joints are not COCO's 17, for which the network is defined.
    """
    if card.input_shape[0] != COORDINATES or card.input_shape[2] != JOINTS:
        raise ExportError(
            f"card {card.name!r} has the input {card.input_shape}, but this network is defined for x and y "
            f"of COCO's {JOINTS} joints; name those"
        )
    return StGcn(card.input_shape[1], len(card.classes))
