"""Pooling over windows and over the whole image."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import NHWC
from pose_onnx.exporters.tflite._windows import (
    SAME,
    VALID,
    Window,
    pad_image,
    padding_of,
    read_windows,
    spatial,
    strides_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder
    from pose_onnx.exporters.tflite._operators import Operator

_HEIGHT_WIDTH: Final = (1, 2)
_LOWEST: Final = float(np.finfo(np.float32).min)


def _read(node: Node, build: Builder) -> tuple[int, list[Window], dict[str, Any]]:
    image, extent = build.image(node)
    kernel = node.attributes["kernel_shape"]
    windows = read_windows(node, spatial(extent), kernel, spatial(build.extent(node)))
    if any(window.dilation != 1 for window in windows):
        raise UnsupportedOperatorError(node, f"its dilations are {node.attributes['dilations']}, not 1")
    if any(_inside(window).min() < 1 for window in windows):
        raise UnsupportedOperatorError(node, "its last window covers padding only")
    options = {"filterHeight": kernel[0], "filterWidth": kernel[1], **strides_of(windows)}
    return image, windows, options


def lower_max_pool(node: Node, build: Builder) -> None:
    """MaxPool: MAX_POOL_2D, after padding with the lowest number if SAME does not fit."""
    if len(node.outputs) > 1 and node.outputs[1]:
        raise UnsupportedOperatorError(node, "it also outputs indices")
    image, windows, options = _read(node, build)
    padding = padding_of(windows)
    if padding is None:
        image, padding = pad_image(build, image, windows, f"{node.outputs[0]}/pad", _LOWEST), VALID
    build.produce(node, op.MAX_POOL_2D, [image], NHWC, padding=padding, **options)


def lower_average_pool(node: Node, build: Builder) -> None:
    """AveragePool: AVERAGE_POOL_2D, corrected if ONNX divides by another number of pixels."""
    image, windows, options = _read(node, build)
    padding = padding_of(windows)
    divisors = np.outer(*(_divisors(node, window) for window in windows))
    taps = windows[0].kernel * windows[1].kernel
    # SAME divides by the pixels inside the image, VALID by all taps.
    if padding == SAME and np.array_equal(divisors, np.outer(*map(_inside, windows))):
        correction = np.ones(1, np.float32)
    else:
        if padding != VALID:
            image, padding = pad_image(build, image, windows, f"{node.outputs[0]}/pad"), VALID
        correction = (taps / divisors).astype(np.float32)
    if np.all(correction == 1):
        build.produce(node, op.AVERAGE_POOL_2D, [image], NHWC, padding=padding, **options)
        return
    extent = build.extent(node).permuted(NHWC)
    name = f"{node.outputs[0]}/uncorrected"
    pooled = build.emit(op.AVERAGE_POOL_2D, [image], extent, name, padding=padding, **options)
    factors = build.file.add_constant(f"{node.outputs[0]}/correction", correction[:, :, np.newaxis])
    build.produce(node, op.MUL, [pooled, factors], NHWC)


def _inside(window: Window) -> NDArray[np.int64]:
    return _covered(window, 0, window.size)


def _divisors(node: Node, window: Window) -> NDArray[np.int64]:
    """Return by how many pixels along one axis ONNX divides, for every position of the window."""
    if node.attributes.get("count_include_pad", 0):
        # Padding counts; what ceil_mode adds beyond it does not.
        return _covered(window, -window.before, window.size + window.after)
    return _inside(window)


def _covered(window: Window, first: int, end: int) -> NDArray[np.int64]:
    starts = np.arange(window.count) * window.stride - window.before
    return np.minimum(starts + window.kernel, end) - np.maximum(starts, first)


def _lower_global(operator: Operator, node: Node, build: Builder) -> None:
    image, _ = build.image(node)
    axes = build.file.add_constant("axes", np.asarray(_HEIGHT_WIDTH, np.int32))
    build.produce(node, operator, [image, axes], NHWC, keepDims=True)


lower_global_average_pool: Final = partial(_lower_global, op.MEAN)
lower_global_max_pool: Final = partial(_lower_global, op.REDUCE_MAX)
