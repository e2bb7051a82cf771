"""The interface for lowerings: reads views of ONNX tensors, writes operators of the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._file import TfliteFile
from pose_onnx.exporters.tflite._prepare import measure_depths
from pose_onnx.exporters.tflite._view import NHWC, Extent, View, order_of, reshape_orders, runs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pose_onnx.exporters.graph import Graph, Node
    from pose_onnx.exporters.tflite._operators import Operator

_NO_ACTIVATION: Final = schema.ActivationFunctionType.NONE
# TRANSPOSE with more axes needs a newer version of the operator; merged axes are always fewer.
_TRANSPOSE_RANK: Final = 4
# For fewer numbers, a DEQUANTIZE operator and its tensors cost more bytes than float16 saves.
_MIN_FLOAT16_SIZE: Final = 64
_FLOAT16_MAX: Final = float(np.finfo(np.float16).max)


class Builder:
    """Converts ONNX tensors to tensors of the file, with the order of axes that a reader needs.

    Args:
        graph: The graph that is lowered.
        extents: Shape of every tensor of the graph that is not constant.
        float16: Whether weights are stored as float16.
    """

    def __init__(self, graph: Graph, extents: Mapping[str, Extent], *, float16: bool = False) -> None:
        self.graph = graph
        self.extents = extents
        self.depths = measure_depths(graph)
        self.uses = Counter(name for node in graph.nodes for name in node.inputs)
        self.uses.update(info.name for info in graph.outputs)
        self.file = TfliteFile()
        self._float16 = float16
        self._views: dict[str, View] = {}
        self._placed: dict[tuple[int, tuple[int, ...], tuple[int, ...], Extent], int] = {}
        self._makers: dict[int, str] = {}
        self._outputs: set[int] = set()

    # ---- reading -------------------------------------------------------------------------------------

    def is_constant(self, name: str) -> bool:
        """Return whether the ONNX tensor is known at conversion time."""
        return name in self.graph.constants

    def constant(self, node: Node, index: int) -> NDArray[Any]:
        """Return an input that must be known at conversion time.

        Raises:
            UnsupportedOperatorError: The input is absent, or computed by the graph.
        """
        name = node.input(index)
        if name not in self.graph.constants:
            raise UnsupportedOperatorError(node, f"its input {index} ({name!r}) is not a constant")
        return self.graph.constants[name]

    def number(self, node: Node, index: int) -> float:
        """Return a constant input of one number, with the shape () or (1,)."""
        value = self.constant(node, index)
        if value.size != 1:
            raise UnsupportedOperatorError(
                node, f"its input {index} holds {value.size} numbers, expected one"
            )
        return float(value.reshape(()))

    def parameter(self, node: Node, name: str, index: int) -> NDArray[Any] | None:
        """Return an attribute that became an input in a later opset; None if it is given as neither."""
        if name in node.attributes:
            return np.asarray(node.attributes[name])
        return self.constant(node, index) if node.input(index) else None

    def view(self, name: str) -> View:
        """Return the view of an ONNX tensor in the file; a constant is written first, in ONNX's layout."""
        if name not in self._views:
            extent = Extent(self.graph.constants[name].shape)
            tensor = self.file.add_constant(name, _float32(self.graph.constants[name]))
            self._views[name] = View(name, tensor, extent, extent.long_axes)
        return self._views[name]

    def image(self, node: Node, index: int = 0) -> tuple[int, Extent]:
        """Return a rank-4 input as N, H, W, C.

        Returns:
            The tensor, and its ONNX extent.
        """
        view = self.view(node.inputs[index])
        if view.extent.rank != len(NHWC):
            raise UnsupportedOperatorError(
                node, f"its input has {view.extent.rank} axes, only images have (4)"
            )
        return self.place(view, NHWC), view.extent

    def extent(self, node: Node) -> Extent:
        """Return the ONNX extent of the node's first output."""
        return self.extents[node.outputs[0]]

    # ---- moving --------------------------------------------------------------------------------------

    def place(self, view: View, layout: Sequence[int]) -> int:
        """Return the tensor whose axis i is the ONNX axis `layout[i]`; it is transposed only if needed."""
        target, order = view.extent.permuted(layout), order_of(view.extent, layout)
        # Views of one tensor may read its numbers as different axes, even of the same lengths.
        key = (view.tensor, view.order, order, target)
        if key not in self._placed:
            tensor = view.tensor if view.order == order else self._transpose(view, layout)
            self._placed[key] = self.reshape(tensor, target, view.name)
        return self._placed[key]

    def rows(self, view: View, axis: int) -> int:
        """Return the tensor as a matrix whose columns are `axis`; all other axes together are its rows."""
        others = tuple(other for other in view.order if other != axis)
        moved = self.ordered(view, others + order_of(view.extent, [axis]))
        return self.reshape(moved.tensor, view.extent.merged([others, (axis,)]), view.name)

    def ordered(self, view: View, order: tuple[int, ...]) -> View:
        """Return the view with its long axes in this order in the file."""
        if view.order == order:
            return view
        return replace(view, tensor=self.place(view, replace(view, order=order).layout), order=order)

    def reshaped(self, view: View, name: str, extent: Extent) -> View:
        """Return the view of ONNX's Reshape."""
        before, after = reshape_orders(view, extent)
        return View(name, self.ordered(view, before).tensor, extent, after)

    def reshape(self, tensor: int, extent: Extent, name: str) -> int:
        """Return the tensor with another shape, without moving its numbers."""
        for known in (tensor, self._unshaped(tensor)):
            if self.file.tensors[known].extent == extent:
                return known
        data = self.file.tensors[tensor].data
        if data is not None:
            return self.file.add_constant(name, data.reshape(extent.sizes))
        return self._copy(tensor, extent, name)

    def _unshaped(self, tensor: int) -> int:
        """Return the tensor of which this one is a RESHAPE, or itself."""
        writer = self.file.writers.get(tensor)
        return tensor if writer is None or writer.operator != op.RESHAPE else writer.inputs[0]

    def _copy(self, tensor: int, extent: Extent, name: str) -> int:
        # A RESHAPE never follows a RESHAPE: the three tensors share their memory, and LiteRT 2.3 without
        # XNNPACK lets operators overwrite the last one before the middle one was read.
        tensor = self._unshaped(tensor)
        shape = self.file.add_constant("shape", np.asarray(extent.signature, np.int32))
        return self.emit(op.RESHAPE, [tensor, shape], extent, name, newShape=list(extent.signature))

    def _transpose(self, view: View, layout: Sequence[int]) -> int:
        extent = view.extent
        here = self.file.tensors[view.tensor].extent
        full = view.layout
        if here.rank <= _TRANSPOSE_RANK and here == extent.permuted(full):
            permutation, result = [full.index(axis) for axis in layout], extent.permuted(layout)
            source = view.tensor
        else:
            target = order_of(extent, layout)
            runs = runs_of(view.order, target)
            source = self.reshape(view.tensor, extent.merged(runs), f"{view.name}/runs")
            moved = sorted(runs, key=lambda run: target.index(run[0]))
            permutation, result = [runs.index(run) for run in moved], extent.merged(moved)
        data = self.file.tensors[source].data
        if data is not None:
            return self.file.add_constant(view.name, data.transpose(permutation))
        axes = self.file.add_constant("permutation", np.asarray(permutation, np.int32))
        name = view.name if result == extent.permuted(layout) else f"{view.name}/moved"
        return self.emit(op.TRANSPOSE, [source, axes], result, name)

    # ---- writing -------------------------------------------------------------------------------------

    def emit(
        self, operator: Operator, inputs: Sequence[int], extent: Extent, name: str, **options: Any
    ) -> int:
        """Write an operator; return the tensor with its result, whose shape is `extent`."""
        output = self.file.add_tensor(name, extent)
        self.file.add_operator(operator, inputs, output, operator.make_options(**options))
        return output

    def to_integers(self, tensor: int, name: str) -> int:
        """Write a CAST of whole numbers to int32, the type of indices."""
        extent = self.file.tensors[tensor].extent
        output = self.file.add_tensor(name, extent, np.int32)
        types = schema.TensorType
        options = op.CAST.make_options(inDataType=types.FLOAT32, outDataType=types.INT32)
        self.file.add_operator(op.CAST, [tensor], output, options)
        return output

    def produce(
        self, node: Node, operator: Operator, inputs: Sequence[int], layout: Sequence[int], **options: Any
    ) -> None:
        """Write the operator that computes the node's first output, with its axes in `layout`."""
        extent = self.extent(node).permuted(layout)
        self.define(node, self.emit(operator, inputs, extent, node.outputs[0], **options), layout)

    def define(self, node: Node, tensor: int, layout: Sequence[int]) -> None:
        """Record that this tensor of the file is the node's first output, with its axes in `layout`.

        A tensor that is already another ONNX tensor keeps its name: other nodes may read it.
        """
        name, extent = node.outputs[0], self.extent(node)
        self.alias(View(name, tensor, extent, order_of(extent, layout)))
        self._makers.setdefault(tensor, name)

    def alias(self, view: View) -> None:
        """Record how the ONNX tensor `view.name` is stored in the file."""
        self._views[view.name] = view

    def add_input(self, name: str) -> int:
        """Add an input of the graph: an image as N, H, W, C, anything else as in ONNX."""
        extent = self.extents[name]
        layout = NHWC if extent.rank == len(NHWC) else tuple(range(extent.rank))
        tensor = self.file.add_tensor(name, extent.permuted(layout))
        self.alias(View(name, tensor, extent, order_of(extent, layout)))
        return tensor

    def add_output(self, name: str) -> int:
        """Add an output of the graph, with the layout of an input and its ONNX name."""
        view = self.view(name)
        tensor = self.place(view, NHWC if view.extent.rank == len(NHWC) else range(view.extent.rank))
        if tensor not in self.file.writers or tensor in self._outputs:
            tensor = self._copy(tensor, self.file.tensors[tensor].extent, name)
        self.file.rename(tensor, name)
        self._outputs.add(tensor)
        return tensor

    def add_weight(self, name: str, data: NDArray[Any]) -> int:
        """Write a kernel or matrix, as float16 if that is requested and its numbers fit."""
        small = data.size < _MIN_FLOAT16_SIZE or float(np.abs(data).max()) > _FLOAT16_MAX
        if not self._float16 or small:
            return self.file.add_constant(name, _float32(data))
        half = self.file.add_constant(f"{name}/float16", data.astype(np.float16))
        key = (half, (), (), Extent(data.shape))
        if key not in self._placed:
            self._placed[key] = self.emit(op.DEQUANTIZE_FLOAT16, [half], Extent(data.shape), name)
        return self._placed[key]

    def add_operand(self, name: str, rank: int, layout: Sequence[int]) -> int:
        """Add an operand of a broadcasting operator whose result has these axes."""
        return self.place(self.view(name).padded(rank), layout)

    def fuse(self, view: View, activation: int, name: str) -> bool:
        """Let the operator that wrote `view` apply the activation, if it can and nothing else reads `view`.

        Returns:
            Whether it does; its result is then called `name`.
        """
        writer = self.file.writers.get(view.tensor)
        if (
            writer is None
            or not writer.operator.fuses
            or writer.options.fusedActivationFunction != _NO_ACTIVATION
            or self._makers.get(view.tensor) != view.name
            or self.uses[view.name] != 1
        ):
            return False
        writer.options.fusedActivationFunction = activation
        self.file.tensors[view.tensor].name = name
        self._makers[view.tensor] = name
        return True


def _float32(data: NDArray[Any]) -> NDArray[Any]:
    return data.astype(np.float32, copy=False)
