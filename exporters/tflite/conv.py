"""Conv and ConvTranspose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import NHWC, Extent
from pose_onnx.exporters.tflite._windows import (
    VALID,
    Window,
    pad,
    pad_image,
    padding_of,
    read_windows,
    spatial,
    strides_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder

# ONNX (out, in per group, height, width) -> TFLite (out, height, width, in per group).
_OHWI: Final = (0, 2, 3, 1)
# The same -> TFLite's depthwise kernel (1, height, width, out); there is one input channel per group.
_IHWO: Final = (1, 2, 3, 0)
# This many convolutions, counted from the image, add their bias last. Of the values tried (0 to 6, all), 4
# reduces the error against float64 to that of ONNX Runtime (half of the error with 1), for 1 to 3 % more
# time.
_EXACT_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class _Filters:
    """The weights of a convolution.

    Attributes:
        names: Names of the kernel and the bias.
        kernel: (out, in per group, height, width).
        bias: (out,).
        group: Number of groups of channels.
    """

    names: tuple[str, str]
    kernel: NDArray[Any]
    bias: NDArray[Any]
    group: int = 1


def lower_conv(node: Node, build: Builder) -> None:
    """Conv: CONV_2D, or DEPTHWISE_CONV_2D if every channel is its own group."""
    filters = _read_filters(node, build, build.constant(node, 1))
    image, extent = build.image(node)
    windows = read_windows(node, spatial(extent), filters.kernel.shape[2:], spatial(build.extent(node)))
    name = node.outputs[0]
    if build.depths[name] <= _EXACT_DEPTH and filters.bias.any():
        tensor = _write_bias_last(build, image, filters, windows, name)
    else:
        tensor = _write_conv(build, image, filters, windows, name)
    build.define(node, tensor, NHWC)


def _read_filters(node: Node, build: Builder, kernel: NDArray[Any]) -> _Filters:
    bias = build.constant(node, 2) if node.input(2) else np.zeros(len(kernel), np.float32)
    names = node.inputs[1], node.input(2) or f"{node.outputs[0]}/bias"
    return _Filters(names, kernel, bias.astype(np.float32), node.attributes.get("group", 1))


def _write_bias_last(
    build: Builder, image: int, filters: _Filters, windows: Sequence[Window], name: str
) -> int:
    """Add the bias after the convolution.

    Kernels start their sums with the bias, so that every small product is rounded to the precision of a
    larger number. In flat areas of a photo, all pixels then have the same error, and nothing averages out.
    """
    none = _Filters((filters.names[0], f"{name}/none"), filters.kernel, 0 * filters.bias, filters.group)
    tensor = _write_conv(build, image, none, windows, f"{name}/unbiased")
    bias = build.file.add_constant(filters.names[1], filters.bias)
    return build.emit(op.ADD, [tensor, bias], build.file.tensors[tensor].extent, name)


def _write_conv(build: Builder, image: int, filters: _Filters, windows: Sequence[Window], name: str) -> int:
    """Write the operator, after a PAD if TFLite has no equal padding; return its result."""
    padding = padding_of(windows)
    if padding is None:
        image, padding = pad_image(build, image, windows, f"{name}/pad"), VALID
    source = build.file.tensors[image].extent
    channels = source.sizes[-1]
    options = {"padding": padding, **strides_of(windows)}
    options |= {"dilationHFactor": windows[0].dilation, "dilationWFactor": windows[1].dilation}
    if filters.group == channels and channels > 1:
        dilated = any(window.dilation != 1 for window in windows)
        operator, order = op.DEPTHWISE_CONV_2D_DILATED if dilated else op.DEPTHWISE_CONV_2D, _IHWO
        options["depthMultiplier"] = len(filters.kernel) // channels
    else:
        operator, order = op.CONV_2D if filters.group == 1 else op.CONV_2D_GROUPED, _OHWI
    inputs = [
        image,
        build.add_weight(filters.names[0], filters.kernel.transpose(order)),
        build.file.add_constant(filters.names[1], filters.bias),
    ]
    counts = tuple(window.count for window in windows)
    extent = Extent((source.sizes[0], *counts, len(filters.kernel)), source.free)
    return build.emit(operator, inputs, extent, name, **options)


def lower_conv_transpose(node: Node, build: Builder) -> None:
    """ConvTranspose: zeros between the pixels, then a CONV_2D with the kernel flipped.

    TFLite's own TRANSPOSE_CONV needs the output shape, with the batch, as a constant.
    """
    kernel = build.constant(node, 1)
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes:
        raise UnsupportedOperatorError(node, "its padding is given by auto_pad or output_shape, not by pads")
    image, extent = build.image(node)
    strides = node.attributes.get("strides", [1, 1])
    dilations = node.attributes.get("dilations", [1, 1])
    pads = node.attributes.get("pads", [0, 0, 0, 0])
    windows = []
    for axis, (size, count) in enumerate(zip(spatial(extent), spatial(build.extent(node)), strict=True)):
        taps = kernel.shape[2 + axis]
        before = (taps - 1) * dilations[axis] - pads[axis]
        windows.append(Window(size * strides[axis], taps, 1, dilations[axis], before, 0, count))
        if before < 0:
            raise UnsupportedOperatorError(node, f"it crops more ({pads[axis]}) than its kernel reaches")
        if windows[-1].reach < 0:
            raise UnsupportedOperatorError(node, "its kernel, less its padding, is smaller than its stride")
    filters = _read_filters(node, build, _turned(kernel, node.attributes.get("group", 1)))
    image = _spread(build, image, strides, f"{node.outputs[0]}/spread")
    build.define(node, _write_conv(build, image, filters, windows, node.outputs[0]), NHWC)


def _turned(kernel: NDArray[Any], groups: int) -> NDArray[Any]:
    """Convert (in, out per group, height, width) to a convolution's (out, in per group, ...), flipped."""
    size, made, *sides = kernel.shape
    split = kernel[:, :, ::-1, ::-1].reshape(groups, size // groups, made, *sides)
    turned: NDArray[Any] = split.transpose(0, 2, 1, 3, 4).reshape(groups * made, size // groups, *sides)
    return turned


def _spread(build: Builder, image: int, strides: Sequence[int], name: str) -> int:
    """Put `stride - 1` zeros after every pixel, as padding of the merged faster axes."""
    extent = build.file.tensors[image].extent
    batch, height, width, channels = extent.sizes
    rows, columns = strides
    if columns > 1:
        image = pad(build, image, [(0, 0)] * 3 + [(0, channels * (columns - 1))], name)
    if rows > 1:
        line = width * columns * channels
        image = build.reshape(image, Extent((batch, height, line), extent.free), name)
        image = pad(build, image, [(0, 0)] * 2 + [(0, line * (rows - 1))], name)
    return build.reshape(image, Extent((batch, height * rows, width * columns, channels), extent.free), name)
