"""Sliding windows: ONNX's kernel, stride and padding, and the equivalent in TFLite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import IMAGE_RANK, Extent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder

SAME: Final[int] = schema.Padding.SAME
VALID: Final[int] = schema.Padding.VALID
_SPATIAL_AXES: Final = 2
_AUTO_PADS: Final = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True, slots=True)
class Window:
    """A window sliding along one spatial axis.

    Attributes:
        size: Length of the input.
        kernel: Number of taps of the window.
        stride: Step of the window.
        dilation: Distance between two taps.
        before: Padding before the input.
        after: Padding after the input, as ONNX states it.
        count: Number of positions, which is the length of the output.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    count: int

    @property
    def reach(self) -> int:
        """Padding after the input that the last window reaches; negative if it ends inside the input."""
        return (
            (self.count - 1) * self.stride + (self.kernel - 1) * self.dilation + 1 - self.size - self.before
        )

    @property
    def is_same(self) -> bool:
        """Whether TFLite's SAME padding gives the same window positions."""
        total = max((self.count - 1) * self.stride + (self.kernel - 1) * self.dilation + 1 - self.size, 0)
        return self.count == -(-self.size // self.stride) and self.before == total // 2

    @property
    def is_valid(self) -> bool:
        """Whether TFLite's VALID padding gives the same window positions."""
        return self.before == 0 and self.reach <= 0


def read_windows(
    node: Node, sizes: Sequence[int], kernel: Sequence[int], counts: Sequence[int]
) -> list[Window]:
    """Return the windows along height and width.

    Args:
        node: A convolution or pooling node.
        sizes: Height and width of its input.
        kernel: Height and width of its kernel.
        counts: Height and width of its output.

    Raises:
        UnsupportedOperatorError: The node does not have two spatial axes, or an unknown `auto_pad`.
    """
    if len(sizes) != _SPATIAL_AXES:
        raise UnsupportedOperatorError(node, f"its window has {len(sizes)} axes, only images have (2)")
    ones, zeros = [1] * _SPATIAL_AXES, [0] * (2 * _SPATIAL_AXES)
    strides = node.attributes.get("strides", ones)
    dilations = node.attributes.get("dilations", ones)
    pads = node.attributes.get("pads", zeros)
    auto_pad = node.attributes.get("auto_pad", "NOTSET")
    if auto_pad not in _AUTO_PADS:
        raise UnsupportedOperatorError(node, f"its auto_pad is {auto_pad!r}, expected one of {_AUTO_PADS}")
    windows = []
    for axis in range(_SPATIAL_AXES):
        before, after = pads[axis], pads[axis + _SPATIAL_AXES]
        if auto_pad != "NOTSET":
            span = (counts[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
            total = max(span - sizes[axis], 0)
            before = (total + (auto_pad == "SAME_LOWER")) // 2
            after = total - before
        windows.append(
            Window(sizes[axis], kernel[axis], strides[axis], dilations[axis], before, after, counts[axis])
        )
    return windows


def padding_of(windows: Sequence[Window]) -> int | None:
    """Return the TFLite padding that equals the windows', or None if the input must be padded first."""
    if all(window.is_valid for window in windows):
        return VALID
    return SAME if all(window.is_same for window in windows) else None


def pad_image(build: Builder, image: int, windows: Sequence[Window], name: str, fill: float = 0.0) -> int:
    """Pad an image as far as the windows reach, so that VALID padding is right.

    Args:
        build: The builder to write with.
        image: The tensor, as N, H, W, C.
        windows: Along height and width.
        name: Name of the result.
        fill: The value to pad with.
    """
    amounts = [(0, 0), *((window.before, max(window.reach, 0)) for window in windows), (0, 0)]
    return pad(build, image, amounts, name, fill)


def pad(build: Builder, tensor: int, amounts: Sequence[tuple[int, int]], name: str, fill: float = 0.0) -> int:
    """Pad a tensor with a constant; one pair (before, after) per axis of the file."""
    extent = build.file.tensors[tensor].extent
    sizes = tuple(size + sum(amount) for size, amount in zip(extent.sizes, amounts, strict=True))
    inputs = [tensor, build.file.add_constant("paddings", np.asarray(amounts, np.int32))]
    if fill == 0:
        return build.emit(op.PAD, inputs, Extent(sizes, extent.free), name)
    inputs.append(build.file.add_constant("pad value", np.asarray([fill], np.float32)))
    return build.emit(op.PADV2, inputs, Extent(sizes, extent.free), name)


def strides_of(windows: Sequence[Window]) -> dict[str, Any]:
    """Return the strides as fields of TFLite's options."""
    return {"strideH": windows[0].stride, "strideW": windows[1].stride}


def spatial(extent: Extent) -> tuple[int, ...]:
    """Return height and width of an ONNX image, or its spatial axes if it has another number of them."""
    return extent.sizes[IMAGE_RANK - _SPATIAL_AXES :]
