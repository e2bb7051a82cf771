"""What the necks of YOLOv3 and PP-YOLO are made of."""

from __future__ import annotations

from typing import Final

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, concat, nn
from paddle.nn import functional

from pose_onnx.exporters.networks._blocks import Activation, ConvNorm

_SLOPE: Final = 0.1


def leaky_relu(x: Tensor) -> Tensor:
    """The activation of DarkNet: a tenth of what is negative stays."""
    return functional.leaky_relu(x, _SLOPE)


def conv_norm(
    c_in: int,
    c_out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: Activation = leaky_relu,
) -> ConvNorm:
    """Convolution, batch norm, activation, as DarkNet names them."""
    return ConvNorm(
        c_in, c_out, kernel, stride=stride, groups=groups, activation=activation, norm_name="batch_norm"
    )


class CoordConv(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """A convolution that also sees where it is (arXiv 1807.03247)."""

    def __init__(self, c_in: int, c_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = conv_norm(c_in + 2, c_out, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H, W)."""
        # Added to a channel times 0, a map is repeated for each image, however many there are.
        empty = x[:, :1] * 0
        columns, rows = (empty + paddle.to_tensor(places) for places in coordinates(*x.shape[2:]))
        return self.conv(concat([x, columns, rows], axis=1))


def coordinates(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each cell's column (1, 1, 1, W) and row (1, 1, H, 1).

    They go from -1 to -0.5: PaddleDetection divides by twice the size, and weights are trained with that.
    """
    columns, rows = (np.arange(count) / ((count - 1) * 2) - 1 for count in (width, height))
    return columns.astype(np.float32).reshape(1, 1, 1, -1), rows.astype(np.float32).reshape(1, 1, -1, 1)


def doubled(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2 H, 2 W): each cell four times."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")
