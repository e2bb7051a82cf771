"""Building blocks of both networks, named so that parameter names match Paddle's."""

from __future__ import annotations

from torch import Tensor, nn

from training.norm import BatchNorm, DepthwiseConv


def conv(cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A bias-free convolution with "same" padding."""
    return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)


def depthwise(channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A bias-free depthwise convolution with "same" padding."""
    make = DepthwiseConv if stride == 1 else nn.Conv2d
    return make(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)


class ConvNorm(nn.Module):
    """Convolution, batch norm and activation.

    Paddle's layers use different names for the normalisation (`norm` or `bn`),
    so the name is an argument; it determines the parameter names.
    """

    def __init__(self, convolution: nn.Conv2d, act: str, norm_name: str) -> None:
        """Wrap `convolution`; register the batch norm under `norm_name`."""
        super().__init__()
        self.conv = convolution
        self.add_module(norm_name, BatchNorm(convolution.out_channels, act))

    def forward(self, x: Tensor) -> Tensor:
        """Apply convolution, norm, activation: (N,C,H,W) -> (N,C',H',W')."""
        for layer in self.children():
            x = layer(x)
        return x
