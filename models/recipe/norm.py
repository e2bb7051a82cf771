"""Batch norm fused with its activation; a small compiled kernel on the CPU.

Half of the training time of these networks goes into batch norms and activations
when they are PyTorch's own: see README.md, "Speed". The kernel is compiled with the
C++ compiler at first use; without one, and on CUDA, PyTorch's operators run.
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
import torch.nn.functional as F
from torch import Tensor, nn

SOURCE: Final = Path(__file__).with_name("native.cpp")
FLAGS: Final = ("-O3", "-march=native", "-ffast-math", "-fno-math-errno", "-shared", "-fPIC")
ACTIVATIONS: Final = {"none": nn.Identity, "relu": nn.ReLU, "hardswish": nn.Hardswish}
CODES: Final = {name: code for code, name in enumerate(ACTIVATIONS)}  # as in native.cpp

_log = logging.getLogger(__name__)


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where there is no C++ compiler."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        _log.warning("no C++ compiler: training runs without the fused kernels, slower")
        return None
    digest = hashlib.sha256(SOURCE.read_bytes() + repr(FLAGS).encode()).hexdigest()[:16]
    target = Path(tempfile.gettempdir()) / f"recipe-native-{os.getuid()}-{digest}.so"
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(part)], check=True)
        part.replace(target)
    return ctypes.CDLL(str(target))


def _pointers(*tensors: Tensor) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(t.data_ptr()) for t in tensors]


class _NormAct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: BatchNorm, gamma: Tensor, beta: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        rows, channels = x.numel() // x.shape[1], x.shape[1]
        y, mean, inv = torch.empty_like(x), torch.empty_like(gamma), torch.empty_like(gamma)
        state = _pointers(norm.running_mean, norm.running_var, y, mean, inv)  # type: ignore[arg-type]
        norm.kernels.norm_act_forward(  # type: ignore[union-attr]
            CODES[norm.act], *_pointers(x), ctypes.c_long(rows), ctypes.c_long(channels),
            *_pointers(gamma, beta), ctypes.c_float(norm.eps),
            ctypes.c_float(norm.momentum or 0.0), *state,
        )  # fmt: skip
        ctx.save_for_backward(x, gamma, beta, mean, inv)
        ctx.norm = norm
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:  # type: ignore[override]
        x, gamma, beta, mean, inv = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx, dgamma, dbeta = torch.empty_like(x), torch.empty_like(gamma), torch.empty_like(gamma)
        ctx.norm.kernels.norm_act_backward(
            CODES[ctx.norm.act], *_pointers(x, dy), ctypes.c_long(x.numel() // x.shape[1]),
            ctypes.c_long(x.shape[1]), *_pointers(gamma, beta, mean, inv, dx, dgamma, dbeta),
        )  # fmt: skip
        return dx, None, dgamma, dbeta


class _Interleave(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        n, half, h, w = first.shape
        out = torch.empty(
            (n, 2 * half, h, w), dtype=first.dtype, memory_format=torch.channels_last
        )
        library().interleave_forward(  # type: ignore[union-attr]
            *_pointers(first), ctypes.c_long(first.stride(3)),
            *_pointers(second), ctypes.c_long(second.stride(3)),
            ctypes.c_long(n * h * w), ctypes.c_long(half), *_pointers(out),
        )  # fmt: skip
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        dy = dy.contiguous(memory_format=torch.channels_last)
        n, channels, h, w = dy.shape
        half = channels // 2
        first, second = (
            torch.empty((n, half, h, w), dtype=dy.dtype, memory_format=torch.channels_last)
            for _ in range(2)
        )
        library().interleave_backward(  # type: ignore[union-attr]
            *_pointers(dy), ctypes.c_long(n * h * w), ctypes.c_long(half), *_pointers(first, second)
        )
        return first, second


def _pixel_rows(x: Tensor) -> bool:
    """Whether the pixels of `x` are equally spaced rows of adjacent channels."""
    _, _, h, w = x.shape
    n_stride, c_stride, h_stride, w_stride = x.stride()
    return c_stride == 1 and h_stride == w * w_stride and n_stride == h * h_stride


def interleave(first: Tensor, second: Tensor) -> Tensor:
    """Channel shuffle with two groups: channels of `first` and `second`, alternating.

    Written over pixels, because training runs in the channels-last layout, which the
    usual view-and-transpose over (N,C,H,W) would silently leave (4x slower on a CPU).
    """
    fast = first.device.type == "cpu" and library() is not None
    if fast and _pixel_rows(first) and _pixel_rows(second):
        return _Interleave.apply(first, second)  # type: ignore[no-any-return, no-untyped-call]
    pairs = torch.stack([first.permute(0, 2, 3, 1), second.permute(0, 2, 3, 1)], -1)
    return pairs.flatten(3).permute(0, 3, 1, 2)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm (eps 1e-5, momentum 0.1, as in Paddle) followed by an activation."""

    def __init__(self, channels: int, act: str = "none") -> None:
        """Normalise `channels`, then apply `act`: none, relu or hardswish."""
        super().__init__(channels)
        self.act = act

    @property
    def kernels(self) -> ctypes.CDLL | None:
        """The compiled kernels, if there are any."""
        return library()

    def activation(self) -> nn.Module:
        """The activation alone."""
        return ACTIVATIONS[self.act]()

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate: (N,C,H,W) float32 to the same shape."""
        if self.training and x.device.type == "cpu" and self.kernels is not None:
            return _NormAct.apply(x, self, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]
        x = super().forward(x)
        if self.act == "none":
            return x
        return F.relu(x) if self.act == "relu" else F.hardswish(x)
