"""Operators that move numbers: shapes, slices, concatenation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema

from pose_onnx.exporters.graph import Node, permutation
from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import NHWC, Extent, View, order_of
from pose_onnx.exporters.tflite._windows import pad

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pose_onnx.exporters.tflite._builder import Builder

# From this value on, the end of a slice means the end of the axis: paddle2onnx writes this, ONNX's examples
# more.
_TO_THE_END: Final = 999_999
# XNNPACK supports up to this many inputs of one CONCATENATION.
_CONCAT_INPUTS: Final = 4


def lower_identity(node: Node, build: Builder) -> None:
    """Identity, Dropout, Cast to float32: the same numbers under another name."""
    if node.op == "Cast" and node.attributes["to"] != onnx.TensorProto.FLOAT:
        raise UnsupportedOperatorError(
            node, "it casts to another type than float32, in which the file computes"
        )
    view = build.view(node.inputs[0])
    build.alias(View(node.outputs[0], view.tensor, view.extent, view.order))


def lower_reshape(node: Node, build: Builder) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze: another view of the same numbers."""
    view, extent = build.view(node.inputs[0]), build.extent(node)
    if view.extent.count != extent.count:
        raise UnsupportedOperatorError(
            node, f"its shape {extent.signature} does not follow the batch of {view.extent.signature}"
        )
    build.alias(build.reshaped(view, node.outputs[0], extent))


def lower_transpose(node: Node, build: Builder) -> None:
    """Transpose: another view of the same numbers."""
    view = build.view(node.inputs[0])
    build.alias(view.transposed(node.outputs[0], permutation(node, view.extent.rank)))


def lower_expand(node: Node, build: Builder) -> None:
    """Expand: an ADD of zeros of the new shape."""
    extent = build.extent(node)
    view = build.view(node.inputs[0]).padded(extent.rank)
    layout = view.layout
    zeros = np.zeros(extent.permuted(layout).sizes, np.float32)
    inputs = [build.place(view, layout), build.file.add_constant(f"{node.outputs[0]}/zeros", zeros)]
    build.produce(node, op.ADD, inputs, layout)


def lower_concat(node: Node, build: Builder) -> None:
    """Concat: CONCATENATION, in several steps if XNNPACK needs them."""
    if len(node.inputs) == 1:
        lower_identity(node, build)
        return
    rank = build.extent(node).rank
    axis = node.attributes["axis"] % rank
    views = [build.view(name) for name in node.inputs]
    layout = max(views, key=lambda view: (view.extent.free is not None, np.prod(view.extent.sizes))).layout
    tensors = [build.place(view, layout) for view in views]
    joined = concatenate(build, tensors, layout.index(axis), node.outputs[0])
    build.define(node, joined, layout)


def concatenate(build: Builder, tensors: Sequence[int], axis: int, name: str) -> int:
    """Concatenate tensors of the file along one of their axes."""
    tensors = list(tensors)
    while len(tensors) > 1:
        head, tensors = tensors[:_CONCAT_INPUTS], tensors[_CONCAT_INPUTS:]
        extents = [build.file.tensors[tensor].extent for tensor in head]
        sizes = list(extents[0].sizes)
        sizes[axis] = sum(extent.sizes[axis] for extent in extents)
        extent = Extent(tuple(sizes), extents[0].free)
        tensors.insert(0, build.emit(op.CONCATENATION, head, extent, name, axis=axis))
    return tensors[0]


def lower_split(node: Node, build: Builder) -> None:
    """Split: one STRIDED_SLICE per output that is read."""
    view = build.view(node.inputs[0])
    axis = node.attributes.get("axis", 0) % view.extent.rank
    start = 0
    for name in node.outputs:
        count = build.extents[name].sizes[axis]
        if build.uses[name]:
            _slice(node, build, view, name, {axis: (start, start + count, 1)})
        start += count


def _slice(
    node: Node, build: Builder, view: View, name: str, cuts: Mapping[int, tuple[int, int, int]]
) -> None:
    """Take range(start, end, step) of some axes of a view, as in Python; all axes stay.

    Always with STRIDED_SLICE: XNNPACK runs it with a free batch, but not SLICE.
    """
    if view.extent.free in cuts:
        raise UnsupportedOperatorError(node, "it cuts through the batch, whose length is free")
    sizes = tuple(len(range(*cuts[i])) if i in cuts else size for i, size in enumerate(view.extent.sizes))
    extent, layout = Extent(sizes, view.extent.free), view.layout
    spans = [cuts.get(axis, (0, 0, 1)) for axis in layout]
    # A masked bound means the end of the axis; so does stepping backwards past its first number.
    begin_mask = sum(1 << place for place, axis in enumerate(layout) if axis not in cuts)
    end_mask = sum(1 << place for place, axis in enumerate(layout) if axis not in cuts or cuts[axis][1] < 0)
    inputs = [build.place(view, layout)]
    inputs += [
        build.file.add_constant(key, np.asarray(values, np.int32))
        for key, values in zip(("begin", "end", "strides"), zip(*spans, strict=True), strict=True)
    ]
    cut = extent.permuted(layout)
    tensor = build.emit(op.STRIDED_SLICE, inputs, cut, name, beginMask=begin_mask, endMask=end_mask)
    build.alias(View(name, tensor, extent, order_of(extent, layout)))


def lower_slice(node: Node, build: Builder) -> None:
    """Slice: STRIDED_SLICE."""
    view = build.view(node.inputs[0])
    rank = view.extent.rank
    starts, ends = build.constant(node, 1), build.constant(node, 2)
    axes = build.constant(node, 3) if node.input(3) else np.arange(len(starts))
    steps = build.constant(node, 4) if node.input(4) else np.ones(len(starts), int)
    cuts = {}
    for axis, start, end, step in zip(axes % rank, starts, ends, steps, strict=True):
        size = view.extent.sizes[axis]
        first, last, stride = slice(int(start), int(end), int(step)).indices(size)
        whole = int(start) == 0 and int(end) >= _TO_THE_END and int(step) == 1
        if not whole and not (axis != view.extent.free and range(first, last, stride) == range(size)):
            cuts[int(axis)] = (first, last, stride)
    _slice(node, build, view, node.outputs[0], cuts)


def lower_gather(node: Node, build: Builder) -> None:
    """Gather with constant indices: STRIDED_SLICE for consecutive indices, else GATHER."""
    view = build.view(node.inputs[0])
    axis = node.attributes.get("axis", 0) % view.extent.rank
    indices = build.constant(node, 1) % view.extent.sizes[axis]
    flat = indices.reshape(-1)
    if indices.ndim > 1:
        raise UnsupportedOperatorError(node, f"its indices have {indices.ndim} axes, at most 1 is known")
    if axis == view.extent.free:
        raise UnsupportedOperatorError(node, "it picks from the batch, whose length is free")
    picked = f"{node.outputs[0]}/picked" if indices.ndim == 0 else node.outputs[0]
    if np.array_equal(flat, flat[0] + np.arange(len(flat))):
        _slice(node, build, view, picked, {axis: (int(flat[0]), int(flat[-1]) + 1, 1)})
    else:
        layout = view.layout
        sizes = tuple(len(flat) if i == axis else size for i, size in enumerate(view.extent.sizes))
        extent = Extent(sizes, view.extent.free)
        tensor = take(build, build.place(view, layout), layout.index(axis), flat, picked)
        build.alias(View(picked, tensor, extent, order_of(extent, layout)))
    if indices.ndim == 0:
        build.alias(build.reshaped(build.view(picked), node.outputs[0], build.extent(node)))


def take(build: Builder, tensor: int, axis: int, indices: NDArray[Any], name: str) -> int:
    """Pick indices along one axis of a tensor of the file."""
    extent = build.file.tensors[tensor].extent
    sizes = (*extent.sizes[:axis], len(indices), *extent.sizes[axis + 1 :])
    inputs = [tensor, build.file.add_constant("indices", indices.astype(np.int32))]
    return build.emit(op.GATHER, inputs, Extent(sizes, extent.free), name, axis=axis)


def lower_pad(node: Node, build: Builder) -> None:
    """Pad: PAD, PADV2 or MIRROR_PAD, or GATHER for mode edge, with constant amounts."""
    view = build.view(node.inputs[0])
    rank, layout = view.extent.rank, view.layout
    amounts = build.constant(node, 1).reshape(2, -1)
    axes = build.constant(node, 3) % rank if node.input(3) else np.arange(rank)
    pairs = dict(zip(axes.tolist(), amounts.T.tolist(), strict=True))
    ordered = [tuple(pairs.get(axis, (0, 0))) for axis in layout]
    if min(map(min, ordered)) < 0:
        raise UnsupportedOperatorError(
            node, f"its pads are {amounts.tolist()}, negative ones crop; use Slice"
        )
    mode = node.attributes.get("mode", "constant")
    tensor = build.place(view, layout)
    if mode == "constant":
        fill = build.number(node, 2) if node.input(2) else 0.0
        build.define(node, pad(build, tensor, ordered, node.outputs[0], fill), layout)
    elif mode == "reflect":
        paddings = build.file.add_constant("paddings", np.asarray(ordered, np.int32))
        options: dict[str, Any] = {"mode": schema.MirrorPadMode.REFLECT}
        build.produce(node, op.MIRROR_PAD, [tensor, paddings], layout, **options)
    elif mode == "edge":
        sizes = view.extent.permuted(layout).sizes
        for axis, (size, (before, after)) in enumerate(zip(sizes, ordered, strict=True)):
            if before or after:
                indices = np.arange(-before, size + after).clip(0, size - 1)
                tensor = take(build, tensor, axis, indices, node.outputs[0])
        build.define(node, tensor, layout)
    else:
        raise UnsupportedOperatorError(node, f"its mode is {mode!r}, expected constant, reflect or edge")


def lower_depth_to_space(node: Node, build: Builder) -> None:
    """DepthToSpace and SpaceToDepth: a reshape, a transpose and a reshape of the view."""
    view = build.view(node.inputs[0])
    size = node.attributes["blocksize"]
    target = build.extent(node)
    if view.extent.rank != len(NHWC):
        raise UnsupportedOperatorError(node, f"its input has {view.extent.rank} axes, only images have (4)")
    batch, channels, height, width = view.extent.sizes
    if node.op == "SpaceToDepth":
        split, order = (batch, channels, height // size, size, width // size, size), (0, 3, 5, 1, 2, 4)
    elif node.attributes.get("mode", "DCR") == "DCR":
        split, order = (batch, size, size, channels // size**2, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split, order = (batch, channels // size**2, size, size, height, width), (0, 1, 4, 2, 5, 3)
    blocks = build.reshaped(view, f"{node.outputs[0]}/blocks", Extent(split, view.extent.free))
    moved = blocks.transposed(blocks.name, order)
    build.alias(build.reshaped(moved, node.outputs[0], target))
