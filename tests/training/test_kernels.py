"""The compiled kernels compute what PyTorch's operators compute."""

from __future__ import annotations

import pytest
import torch

from training import kernels
from training.norm import BatchNorm, DepthwiseConv, interleave

BAR = 2e-5  # float32 sums over some hundred values in another order

if kernels.library() is None:
    pytest.skip("no C++ compiler on this machine", allow_module_level=True)


def gradients(output: torch.Tensor, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of a random projection of `output`."""
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    return [output, *torch.autograd.grad(output, inputs, weights)]


def assert_close(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> None:
    """All tensors equal but for rounding."""
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() < BAR * (1 + b.abs().max())


@pytest.mark.parametrize("act", kernels.ACTIVATIONS)
@pytest.mark.parametrize("shape", [(3, 20, 5, 7), (2, 40, 8, 6), (4, 1, 3, 3), (2, 96, 1, 1), (1, 7, 9, 2)])
def test_norm_and_activation(act: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    ours, theirs = BatchNorm(shape[1], act), torch.nn.BatchNorm2d(shape[1])
    torch.nn.init.normal_(ours.weight)
    torch.nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())
    x = (2 * torch.randn(shape) + 1).requires_grad_()
    assert_close(
        [*gradients(ours(x), [x, ours.weight, ours.bias]), ours.running_mean, ours.running_var],
        [
            *gradients(ours.activation()(theirs(x)), [x, theirs.weight, theirs.bias]),
            theirs.running_mean,
            theirs.running_var,
        ],
    )


@pytest.mark.parametrize(("channels", "kernel"), [(20, 3), (96, 5), (1, 3), (17, 5)])
def test_depthwise(channels: int, kernel: int) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv(channels, channels, kernel, 1, kernel // 2, groups=channels, bias=False)
    x = torch.randn(3, channels, 7, 6).requires_grad_()
    ours = gradients(layer(x), [x, layer.weight])
    assert_close(ours, gradients(layer.eval()(x), [x, layer.weight]))


def test_interleave() -> None:
    x = torch.randn(2, 20, 5, 3).to(memory_format=torch.channels_last).requires_grad_()
    n, c, h, w = x.shape
    plain = x.contiguous().view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
    assert_close(gradients(interleave(*x.chunk(2, 1)), [x]), gradients(plain, [x]))


def test_squared_error() -> None:
    a, b = torch.randn(2, 4, 3, 3).requires_grad_(), torch.randn(2, 4, 3, 3)
    weights = torch.rand(4)
    ours = kernels.squared_error(a, b, weights)
    plain = ((a - b).square().mean((0, 2, 3)) * weights).sum()
    assert_close([ours], [plain])
    assert_close(gradients(ours, [a]), gradients(plain, [a]))
