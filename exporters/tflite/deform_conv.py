"""DeformConv: each tap of the kernel is gathered from its moved position; a 1 x 1 convolution sums them.

TFLite has no such operator. Pixels outside the image are 0, so the image gets a border of zeros that contains
every pixel that a bilinear sample can need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import NHWC, Extent
from pose_onnx.exporters.tflite._windows import VALID, pad, read_windows, spatial
from pose_onnx.exporters.tflite.shape import take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder
    from pose_onnx.exporters.tflite._windows import Window

_BEFORE: Final = 1
"""Width of the border before the image. Samples are clipped to it, where the image has no effect on them."""
_AFTER: Final = 2
"""Width of the border after the image: one more, for the second pixel of a sample that is there."""


def lower_deform_conv(node: Node, build: Builder) -> None:
    """DeformConv with one group, with or without a weight for each tap."""
    for name in ("group", "offset_group"):
        if node.attributes.get(name, 1) != 1:
            raise UnsupportedOperatorError(node, f"its {name} is {node.attributes[name]}, only 1 is known")
    kernel = build.constant(node, 1)
    image, extent = build.image(node)
    windows = read_windows(node, spatial(extent), kernel.shape[2:], spatial(build.extent(node)))
    samples = _Sampler(node, build, windows).sample(image, build.image(node, 2)[0])
    if node.input(4):
        samples = _times(build, samples, build.image(node, 4)[0], f"{node.outputs[0]}/weighted")
    _sum_taps(node, build, samples, kernel)


def _sum_taps(node: Node, build: Builder, samples: int, kernel: NDArray[np.float32]) -> None:
    """Write the convolution over (N, places * taps, C) samples."""
    filters, channels, *sides = kernel.shape
    taps = int(np.prod(sides))
    target = build.extent(node).permuted(NHWC)
    name = node.outputs[0]
    wide = build.reshape(samples, Extent((*target.sizes[:3], taps * channels), target.free), f"{name}/taps")
    flat = kernel.transpose(0, 2, 3, 1).reshape(filters, 1, 1, taps * channels)
    bias = build.constant(node, 3) if node.input(3) else np.zeros(filters)
    inputs = [
        wide,
        build.add_weight(node.inputs[1], flat),
        build.file.add_constant(node.input(3) or f"{name}/bias", bias.astype(np.float32)),
    ]
    strides = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    build.produce(node, op.CONV_2D, inputs, NHWC, padding=VALID, **strides)


def _times(build: Builder, samples: int, factors: int, name: str) -> int:
    """Multiply (N, M, C) samples by (N, M) factors."""
    extent = build.file.tensors[samples].extent
    column = build.reshape(factors, Extent((*extent.sizes[:2], 1), extent.free), f"{name}/factors")
    return build.emit(op.MUL, [samples, column], extent, name)


class _Sampler:
    """Writes the bilinear samples of one node."""

    def __init__(self, node: Node, build: Builder, windows: Sequence[Window]) -> None:
        self._build, self._windows = build, windows
        self._name = node.outputs[0]

    def sample(self, image: int, offsets: int) -> int:
        """Return (N, places * taps, C) samples of an image, moved by (N, h, w, 2 * taps) offsets."""
        build = self._build
        source = build.file.tensors[image].extent
        batch, height, width, channels = source.sizes
        border = (_BEFORE, _AFTER)
        padded = pad(build, image, [(0, 0), border, border, (0, 0)], self._named("padded"))
        columns = width + sum(border)
        cells = (height + sum(border)) * columns
        flat = build.reshape(padded, Extent((batch, cells, channels), source.free), self._named("flat"))
        rows = self._split(offsets, axis=0)
        across = self._split(offsets, axis=1)
        total = -1
        for down in (0, 1):
            for right in (0, 1):
                index = self._index(rows[0], across[0], columns, down * columns + right)
                weight = self._binary(op.MUL, rows[1 + down], across[1 + right], "weight")
                corner = _times(build, self._gather(flat, index), weight, self._named("corner"))
                total = corner if total < 0 else self._binary(op.ADD, total, corner, "sum")
        return total

    def _split(self, offsets: int, axis: int) -> tuple[int, int, int]:
        """Return, along an axis, the first cell of each sample, and the weights of this cell and the next."""
        build, window = self._build, self._windows[axis]
        taps = self._windows[0].kernel * self._windows[1].kernel
        moved = take(build, offsets, 3, np.arange(axis, 2 * taps, 2), self._named("moved"))
        # Positions of the taps without offsets, in cells of the image with its border.
        starts = np.arange(window.count) * window.stride - window.before + _BEFORE
        steps = np.indices([each.kernel for each in self._windows])[axis].ravel() * window.dilation
        grid = starts[:, None] + steps
        grid = grid[:, None] if axis == 0 else grid[None]
        shape = (self._windows[0].count, self._windows[1].count, taps)
        place = self._with(op.ADD, moved, np.broadcast_to(grid, shape), "place")
        place = self._with(op.MAXIMUM, place, np.zeros(1), "not before")
        place = self._with(op.MINIMUM, place, np.full(1, window.size + _BEFORE), "not after")
        extent = build.file.tensors[place].extent
        cell = build.emit(op.FLOOR, [place], extent, self._named("cell"))
        second = self._binary(op.SUB, place, cell, "second")
        negative = build.emit(op.NEG, [second], extent, self._named("negative"))
        return cell, self._with(op.ADD, negative, np.ones(1), "first"), second

    def _index(self, row: int, column: int, columns: int, step: int) -> int:
        """Return (N, places * taps) int32 indices of cells; in float32 all of them are exact below 2**24."""
        build = self._build
        first = self._with(op.MUL, row, np.full(1, columns), "row")
        index = self._with(op.ADD, self._binary(op.ADD, first, column, "index"), np.full(1, step), "step")
        batch, *sizes = build.file.tensors[index].extent.sizes
        extent = Extent((batch, int(np.prod(sizes))), build.file.tensors[index].extent.free)
        return build.to_integers(build.reshape(index, extent, self._named("line")), self._named("integers"))

    def _gather(self, flat: int, index: int) -> int:
        source, places = (self._build.file.tensors[tensor].extent for tensor in (flat, index))
        extent = Extent((*places.sizes, source.sizes[2]), places.free)
        options = {"axis": 1, "batchDims": 1}
        return self._build.emit(op.GATHER_BATCHED, [flat, index], extent, self._named("gathered"), **options)

    def _with(self, operator: op.Operator, tensor: int, numbers: NDArray[np.float64], name: str) -> int:
        constant = self._build.file.add_constant(self._named(name), numbers.astype(np.float32))
        return self._binary(operator, tensor, constant, name)

    def _binary(self, operator: op.Operator, tensor: int, other: int, name: str) -> int:
        extent = self._build.file.tensors[tensor].extent
        return self._build.emit(operator, [tensor, other], extent, self._named(name))

    def _named(self, part: str) -> str:
        return f"{self._name}/{part}"
