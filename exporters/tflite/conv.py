"""Conv and ConvTranspose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    from pose_onnx.exporters.tflite._builder import Builder
    from pose_onnx.exporters.tflite._graph import Node

# ONNX (out, in per group, height, width) -> TFLite (out, height, width, in per group).
_OHWI = (0, 2, 3, 1)
# The same -> TFLite's depthwise kernel (1, height, width, out), there being one input channel per group.
_IHWO = (1, 2, 3, 0)


def lower_conv(node: Node, build: Builder) -> None:
    """Conv: CONV_2D, or DEPTHWISE_CONV_2D where every channel is its own group."""
    kernel = build.constant(node, 1)
    image, extent = build.image(node)
    windows = read_windows(node, spatial(extent), kernel.shape[2:], spatial(build.extent(node)))
    padding = padding_of(windows)
    if padding is None:
        image, padding = pad_image(build, node, image, windows), VALID
    bias = build.constant(node, 2) if node.input(2) else np.zeros(len(kernel), np.float32)
    _write_conv(node, build, image, (kernel, bias), windows, padding)


def _write_conv(
    node: Node,
    build: Builder,
    image: int,
    weights: tuple[NDArray[Any], NDArray[Any]],
    windows: Sequence[Window],
    padding: int,
) -> None:
    kernel, bias = weights
    group = node.attributes.get("group", 1)
    channels = kernel.shape[1] * group
    dilated = any(window.dilation != 1 for window in windows)
    options = {"padding": padding, **strides_of(windows)}
    options |= {"dilationHFactor": windows[0].dilation, "dilationWFactor": windows[1].dilation}
    if group == channels and group > 1:
        operator = op.DEPTHWISE_CONV_2D_DILATED if dilated else op.DEPTHWISE_CONV_2D
        options["depthMultiplier"] = len(kernel) // channels
        order = _IHWO
    else:
        operator = op.CONV_2D if group == 1 else op.CONV_2D_GROUPED
        order = _OHWI
    inputs = [
        image,
        build.add_weight(node.inputs[1], kernel.transpose(order)),
        build.file.add_constant(node.input(2) or f"{node.outputs[0]}/bias", bias.astype(np.float32)),
    ]
    build.produce(node, operator, inputs, NHWC, **options)


def lower_conv_transpose(node: Node, build: Builder) -> None:
    """ConvTranspose: zeros between the pixels, then a CONV_2D with the kernel turned around.

    TFLite's own TRANSPOSE_CONV wants the output shape as a constant, batch included.
    """
    kernel = build.constant(node, 1)
    if node.attributes.get("group", 1) != 1:
        raise UnsupportedOperatorError(node, f"it has {node.attributes['group']} groups, only 1 is known")
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes:
        raise UnsupportedOperatorError(node, "its padding is given by auto_pad or output_shape, not by pads")
    image, extent = build.image(node)
    strides = node.attributes.get("strides", [1, 1])
    dilations = node.attributes.get("dilations", [1, 1])
    pads = node.attributes.get("pads", [0, 0, 0, 0])
    image = _spread(build, image, strides, node.outputs[0])
    windows = []
    for axis, (size, count) in enumerate(zip(spatial(extent), spatial(build.extent(node)), strict=True)):
        taps = kernel.shape[2 + axis]
        before = (taps - 1) * dilations[axis] - pads[axis]
        if before < 0:
            raise UnsupportedOperatorError(node, f"it crops more ({pads[axis]}) than its kernel reaches")
        windows.append(Window(size * strides[axis], taps, 1, dilations[axis], before, 0, count))
        if windows[-1].reach < 0:
            raise UnsupportedOperatorError(node, "its kernel, less its padding, is smaller than its stride")
    image = pad_image(build, node, image, windows)
    turned = kernel[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    bias = build.constant(node, 2) if node.input(2) else np.zeros(len(turned), np.float32)
    _write_conv(node, build, image, (turned, bias), windows, VALID)


def _spread(build: Builder, image: int, strides: Sequence[int], name: str) -> int:
    """Put `stride - 1` zeros behind every pixel: padding of the faster axes, seen as one."""
    extent = build.file.tensors[image].extent
    batch, height, width, channels = extent.sizes
    rows, columns = strides
    if columns > 1:
        image = pad(build, image, [(0, 0)] * 3 + [(0, channels * (columns - 1))], f"{name}/spread")
    if rows > 1:
        line = width * columns * channels
        image = build.reshape(image, Extent((batch, height, line), extent.free), f"{name}/lines")
        image = pad(build, image, [(0, 0)] * 2 + [(0, line * (rows - 1))], f"{name}/spread")
    return build.reshape(image, Extent((batch, height * rows, width * columns, channels), extent.free), name)
