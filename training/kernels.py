"""Small compiled kernels for training on a CPU, as autograd functions.

With PyTorch's own operators, these networks spend most of their time on tensors with
few channels: see README.md, "Speed". The C++ compiler compiles the kernels at first
use; without a compiler, and on CUDA, PyTorch's operators run instead.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

SOURCES: Final = tuple(Path(__file__).with_name(name) for name in ("native_norm.cpp", "native_depthwise.cpp"))
FLAGS: Final = (
    *("-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512"),
    *("-shared", "-fPIC"),
)
ACTIVATIONS: Final = ("none", "relu", "hardswish")  # numbered as in native_norm.cpp

_log = logging.getLogger(__name__)


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where there is no C++ compiler."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        _log.warning("no C++ compiler: training runs without the compiled kernels, slower")
        return None
    text = b"".join(source.read_bytes() for source in SOURCES)
    digest = hashlib.sha256(text + repr(FLAGS).encode()).hexdigest()[:16]
    target = Path(tempfile.gettempdir()) / f"training-native-{os.getuid()}-{digest}.so"
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *FLAGS, *map(str, SOURCES), "-o", str(part)], check=True)
        part.replace(target)
    return ctypes.CDLL(str(target))


def _kernels() -> ctypes.CDLL:
    loaded = library()
    if loaded is None:
        raise RuntimeError("the compiled kernels need a C++ compiler; ask `usable` before calling them")
    return loaded


def usable(x: Tensor) -> bool:
    """Whether the compiled kernels can work on `x`."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and library() is not None


def _pointers(*tensors: Tensor) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(t.data_ptr()) for t in tensors]


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


class _NormAct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: Any, gamma: Tensor, beta: Tensor) -> Tensor:
        x = _last(x)
        rows, channels = x.numel() // x.shape[1], x.shape[1]
        y, mean, inv = torch.empty_like(x), torch.empty_like(gamma), torch.empty_like(gamma)
        state = _pointers(norm.running_mean, norm.running_var, y, mean, inv)
        _kernels().norm_act_forward(
            ACTIVATIONS.index(norm.act), *_pointers(x), ctypes.c_long(rows), ctypes.c_long(channels),
            *_pointers(gamma, beta), ctypes.c_float(norm.eps),
            ctypes.c_float(norm.momentum or 0.0), *state,
        )  # fmt: skip
        ctx.save_for_backward(x, gamma, beta, mean, inv)
        ctx.norm = norm
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
        x, gamma, beta, mean, inv = ctx.saved_tensors
        dy = _last(dy)
        dx, dgamma, dbeta = torch.empty_like(x), torch.empty_like(gamma), torch.empty_like(gamma)
        _kernels().norm_act_backward(
            ACTIVATIONS.index(ctx.norm.act), *_pointers(x, dy), ctypes.c_long(x.numel() // x.shape[1]),
            ctypes.c_long(x.shape[1]), *_pointers(gamma, beta, mean, inv, dx, dgamma, dbeta),
        )  # fmt: skip
        return dx, None, dgamma, dbeta


class _Interleave(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        n, half, h, w = first.shape
        out = torch.empty((n, 2 * half, h, w), dtype=first.dtype, memory_format=torch.channels_last)
        _kernels().interleave_forward(
            *_pointers(first), ctypes.c_long(first.stride(3)),
            *_pointers(second), ctypes.c_long(second.stride(3)),
            ctypes.c_long(n * h * w), ctypes.c_long(half), *_pointers(out),
        )  # fmt: skip
        return out

    @staticmethod
    def backward(_ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor]:
        dy = _last(dy)
        n, channels, h, w = dy.shape
        half = channels // 2
        first, second = (
            torch.empty((n, half, h, w), dtype=dy.dtype, memory_format=torch.channels_last) for _ in range(2)
        )
        _kernels().interleave_backward(
            *_pointers(dy), ctypes.c_long(n * h * w), ctypes.c_long(half), *_pointers(first, second)
        )
        return first, second


def pixel_rows(x: Tensor) -> bool:
    """Whether the pixels of `x` are equally spaced rows of adjacent channels."""
    _, _, h, w = x.shape
    n_stride, c_stride, h_stride, w_stride = x.stride()
    rows: bool = c_stride == 1 and h_stride == w * w_stride and n_stride == h * h_stride
    return rows


class _Depthwise(torch.autograd.Function):
    """Stride 1: the input's gradient is a convolution too; the weights' gradient is our own kernel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        x = _last(x)
        ctx.save_for_backward(x, weight)
        return functional.conv2d(x, weight, None, 1, weight.shape[-1] // 2, 1, weight.shape[0])

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor]:
        x, weight = ctx.saved_tensors
        dy, kernel = _last(dy), weight.shape[-1]
        dx = None
        if ctx.needs_input_grad[0]:
            dx = functional.conv2d(dy, weight.flip(2, 3), None, 1, kernel // 2, 1, weight.shape[0])
        n, c, h, w = x.shape
        dw = torch.empty_like(weight, memory_format=torch.contiguous_format)
        _kernels().depthwise_weights_gradient(
            ctypes.c_long(kernel), *_pointers(x, dy), *map(ctypes.c_long, (n, h, w, c)),
            *_pointers(dw),
        )  # fmt: skip
        return dx, dw


class _SquaredError(torch.autograd.Function):
    """Squared error of each channel, weighted and summed; its gradient stays in the channels-last layout."""

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, weights: Tensor) -> Tensor:
        difference = student - teacher
        ctx.save_for_backward(difference, weights)
        return (difference.square().mean((0, 2, 3)) * weights).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        difference, weights = ctx.saved_tensors
        scale = weights * (2 * gradient * len(weights) / difference.numel())
        return difference * scale.view(1, -1, 1, 1), None, None


norm_act = _NormAct.apply
interleave = _Interleave.apply
depthwise = _Depthwise.apply
squared_error = _SquaredError.apply
