"""Building blocks that several networks share.

Attribute names are part of the contract: they form the parameter names of PaddleDetection's checkpoints, so
that those load unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from paddle import Tensor, concat, nn
from paddle.nn import functional

Activation = Callable[[Tensor], Tensor]
POOLS: Final = (5, 9, 13)
"""Window sizes of pyramid pooling."""


def conv(c_in: int, c_out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2D:
    """Convolution without a bias, padded so that only its stride changes the size."""
    return nn.Conv2D(c_in, c_out, kernel, stride=stride, padding=kernel // 2, groups=groups, bias_attr=False)


def identity(x: Tensor) -> Tensor:
    """Return the input unchanged: the activation of a layer without one."""
    return x


class ConvNorm(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Convolution, batch norm, activation.

    Args:
        c_in: input channels.
        c_out: output channels.
        kernel: side of the square kernel, odd.
        stride: of the convolution.
        groups: of the convolution.
        activation: applied last.
        norm_name: attribute name of the batch norm in the checkpoint: "norm" or "bn".
        conv_name: attribute name of the convolution in the checkpoint.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: Activation = identity,
        norm_name: str = "norm",
        conv_name: str = "conv",
    ) -> None:
        super().__init__()
        self.add_sublayer(conv_name, conv(c_in, c_out, kernel, stride=stride, groups=groups))
        self.add_sublayer(norm_name, nn.BatchNorm2D(c_out))
        self._names = conv_name, norm_name
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        conv_name, norm_name = self._names
        return self._activation(getattr(self, norm_name)(getattr(self, conv_name)(x)))


class DepthwisePointwise(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Depthwise, then pointwise convolution, each with batch norm ("DPModule" of PaddleDetection).

    Args:
        c_in: input channels.
        c_out: output channels; the depthwise half has this many groups.
        kernel: side of the depthwise kernel.
        stride: of the depthwise convolution.
        activation: applied after both halves.
        last_activation: applied after the pointwise half instead of `activation`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        activation: Activation = functional.hardswish,
        last_activation: Activation | None = None,
    ) -> None:
        super().__init__()
        self.dwconv = conv(c_in, c_out, kernel, stride=stride, groups=c_out)
        self.bn1 = nn.BatchNorm2D(c_out)
        self.pwconv = conv(c_out, c_out, 1)
        self.bn2 = nn.BatchNorm2D(c_out)
        self._activation = activation
        self._last_activation = last_activation or activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""
        x = self._activation(self.bn1(self.dwconv(x)))
        return self._last_activation(self.bn2(self.pwconv(x)))


class SPP(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Spatial pyramid pooling (arXiv 1406.4729): max-pooling with windows of several sizes, side by side.

    Args:
        channels: of input and output.
        conv_norm: creates the final convolution, from its input and output channels and kernel size.
    """

    def __init__(self, channels: int, conv_norm: Callable[[int, int, int], nn.Layer]) -> None:
        super().__init__()
        self.conv = conv_norm(channels * (1 + len(POOLS)), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        pools = [functional.max_pool2d(x, side, stride=1, padding=side // 2) for side in POOLS]
        return self.conv(concat([x, *pools], axis=1))


def channel_shuffle(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels (ShuffleNet, arXiv 1707.01083, 2 groups).

    All sizes except the batch are constants, so that the graph needs no shape arithmetic.
    """
    channels, height, width = x.shape[1:]
    x = x.reshape([-1, 2, channels // 2, height, width])
    return x.transpose([0, 2, 1, 3, 4]).reshape([-1, channels, height, width])
