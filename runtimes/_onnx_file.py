"""Checks that an ONNX file needs a sensible amount of memory: ONNX Runtime allocates any declared size.

ONNX is protobuf. Only the fields that lead to sizes, to the model's inputs and outputs and to its metadata
are read. Field numbers: onnx.proto. Sizes that a graph computes from its inputs are not known here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from math import inf, prod
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from pose_onnx.runtimes._flatbuffer import Content
from pose_onnx.runtimes._model_facts import ModelFacts, demand_size
from pose_onnx.runtimes._protobuf import BYTES, VARINT, Protobuf, Span, signed
from pose_onnx.runtimes._protocol import TensorSpec

_GRAPH, _METADATA, _FUNCTION = 7, 14, 25
_NODE, _INITIALIZER, _SPARSE_INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 15, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE, _ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_INTS = 1, 3, 5, 6, 8
_TENSORS, _GRAPHS, _SPARSE = 10, 11, 22
_DIMS, _DATA_TYPE, _FLOATS, _INT64S, _TENSOR_NAME, _RAW, _EXTERNAL = 1, 2, 4, 7, 8, 9, 13
_FLOAT, _INT64 = 1, 7
# Most elements per byte of a file: 4-bit elements.
_DENSEST: Final = 2
# Limit of graphs nested inside graphs.
_DEPTH: Final = 8
# A vector that determines a shape has one number per axis; longer vectors are weights.
_MAX_AXES: Final = 64
_MAX_VARINT: Final = 10
_TYPE_NAMES: Final = MappingProxyType({_FLOAT: "float32", 2: "uint8", _INT64: "int64", 10: "float16"})

Values: TypeAlias = "tuple[float, ...]"


def read_onnx(content: Content) -> ModelFacts:
    """Check the declarations of an ONNX file, and return its facts.

    Raises:
        ValueError: The file is broken, or declares tensors that are too large.
    """
    return _Reader(content).model()


class _Reader:
    """One file."""

    def __init__(self, content: Content) -> None:
        self._file = Protobuf(content)

    def model(self) -> ModelFacts:
        """Read the model."""
        inputs: list[TensorSpec] = []
        outputs: list[TensorSpec] = []
        metadata = {}
        for number, kind, value in self._file.fields((0, len(self._file.content))):
            if number == _GRAPH and kind == BYTES:
                found = self._graph(value, {}, 0)
                inputs, outputs = found[0], found[1]
            elif number == _METADATA and kind == BYTES:
                entry = {field: span for field, wire, span in self._file.fields(value) if wire == BYTES}
                if 1 in entry:
                    start, end = entry.get(2, (0, 0))
                    metadata[self._file.text(entry[1])] = self._file.content[start:end]
            elif number == _FUNCTION and kind == BYTES:
                raise ValueError("it defines its own functions, which no model for people needs")
        return ModelFacts(tuple(inputs), tuple(outputs), metadata)

    def _graph(
        self, span: Span, outer: Mapping[str, Values], depth: int
    ) -> tuple[list[TensorSpec], list[TensorSpec]]:
        if depth > _DEPTH:
            raise ValueError("its graphs are nested too deeply")
        fields = [(number, value) for number, kind, value in self._file.fields(span) if kind == BYTES]
        constants = dict(outer)
        initialized = set()
        ends: dict[int, list[TensorSpec]] = {_INPUT: [], _OUTPUT: [], _VALUE_INFO: []}
        for number, value in fields:
            if number == _INITIALIZER:
                name, numbers = self._tensor(value)
                initialized.add(name)
                constants[name] = numbers
            elif number == _SPARSE_INITIALIZER:
                self._sparse_tensor(value)
            elif number in ends:
                ends[number].append(self._value_info(value))
        for number, value in fields:
            if number == _NODE:
                self._node(value, constants, depth)
        return [spec for spec in ends[_INPUT] if spec.name not in initialized], ends[_OUTPUT]

    def _tensor(self, span: Span) -> tuple[str, Values]:
        """Return the name of a tensor, and its numbers if they are few enough to be a shape."""
        dims: list[int] = []
        name, kind_of_data, external = "", 0, False
        numbers: Values = ()
        parts: list[tuple[int, int, Any]] = []
        for number, kind, value in self._file.fields(span):
            if number == _DIMS:
                dims += self._file.integers(kind, value)
            elif number == _DATA_TYPE and kind == VARINT:
                kind_of_data = value
            elif number == _TENSOR_NAME and kind == BYTES:
                name = self._file.text(value)
            elif number == _EXTERNAL:
                external = True
            else:
                parts.append((number, kind, value))
        if min(dims, default=0) < 0:
            raise ValueError(f"tensor {name!r} has the shape {dims}")
        demand_size(dims, f"tensor {name!r}")
        count = prod(dims)
        if not external and count > _DENSEST * (span[1] - span[0]):
            raise ValueError(f"tensor {name!r} has too few bytes for its shape {dims}")
        if count <= _MAX_AXES:
            numbers = self._few_numbers(parts, kind_of_data)
        return name, numbers

    def _few_numbers(self, parts: Sequence[tuple[int, int, Any]], kind_of_data: int) -> Values:
        numbers: list[float] = []
        letter = {_FLOAT: "f", _INT64: "q"}.get(kind_of_data)
        for number, kind, value in parts:
            if number == _INT64S:
                numbers += self._file.integers(kind, value)
            elif letter and kind == BYTES and number in (_RAW, _FLOATS):
                data = self._file.content[value[0] : value[1]]
                size = struct.calcsize(letter)
                numbers += struct.unpack(f"<{len(data) // size}{letter}", data[: len(data) // size * size])
        return tuple(numbers)

    def _sparse_tensor(self, span: Span) -> None:
        dims = []
        for number, kind, value in self._file.fields(span):
            if number == 3:  # noqa: PLR2004 (SparseTensorProto.dims)
                dims += self._file.integers(kind, value)
        demand_size(map(abs, dims), "a sparse tensor")

    def _value_info(self, span: Span) -> TensorSpec:
        name, dtype = "", ""
        sizes: list[int | None] = []
        # ValueInfoProto.type.tensor_type
        for number, value in self._file.messages(span):
            if number == 1:
                name = self._file.text(value)
            for _, tensor in self._file.messages(value) if number == 2 else ():  # noqa: PLR2004
                for field, kind, inner in self._file.fields(tensor):
                    if field == 1 and kind == VARINT:
                        dtype = _TYPE_NAMES.get(inner, str(inner))
                    elif field == 2 and kind == BYTES:  # noqa: PLR2004
                        sizes = [self._dimension(dim) for _, dim in self._file.messages(inner)]
        demand_size(sizes, f"tensor {name!r}")
        return TensorSpec(name, tuple(sizes), dtype)

    def _dimension(self, span: Span) -> int | None:
        for number, kind, value in self._file.fields(span):
            if number == 1 and kind == VARINT:
                size = signed(value)
                return size if size > 0 else None
            if kind == BYTES:
                self._file.text(value)  # a name, which ONNX Runtime would have to decode
        return None

    def _node(self, span: Span, constants: dict[str, Values], depth: int) -> None:
        inputs, outputs, op = [], [], ""
        attributes: dict[str, Values] = {}
        for number, value in self._file.messages(span):
            if number == _NODE_INPUT:
                inputs.append(self._file.text(value))
            elif number == _NODE_OUTPUT:
                outputs.append(self._file.text(value))
            elif number == _NODE_TYPE:
                op = self._file.text(value)
            elif number == _ATTRIBUTE:
                name, numbers = self._attribute(value, constants, depth)
                attributes[name] = numbers
        if op == "Constant" and outputs:
            constants[outputs[0]] = next((numbers for numbers in attributes.values() if numbers), ())
        elif op == "Identity" and inputs and outputs:
            constants[outputs[0]] = constants.get(inputs[0], ())
        elif op in _GROWING:
            given = [constants.get(name, ()) for name in inputs]
            demand_size(_GROWING[op](given, attributes), f"a node {op}")

    def _attribute(self, span: Span, constants: Mapping[str, Values], depth: int) -> tuple[str, Values]:
        name = ""
        numbers: list[float] = []
        for number, kind, value in self._file.fields(span):
            if number == _ATTRIBUTE_NAME and kind == BYTES:
                name = self._file.text(value)
            elif number in (_ATTRIBUTE_INT, _ATTRIBUTE_INTS):
                few = kind != BYTES or value[1] - value[0] <= _MAX_VARINT * _MAX_AXES
                numbers += self._file.integers(kind, value) if few else []
            elif number in (_ATTRIBUTE_TENSOR, _TENSORS) and kind == BYTES:
                numbers += self._tensor(value)[1]
            elif number in (_ATTRIBUTE_GRAPH, _GRAPHS) and kind == BYTES:
                self._graph(value, constants, depth + 1)
            elif number == _SPARSE and kind == BYTES:
                self._sparse_tensor(value)
        return name, tuple(numbers)


def _sizes(values: Sequence[float]) -> list[int]:
    """Return sizes or factors as integers; values that mean "unchanged" or "the rest" count as 1."""
    return [int(min(value, 2**62)) if 1 <= value < inf else 1 for value in values]


def _input(index: int) -> Callable[[Sequence[Values], Mapping[str, Values]], list[int]]:
    def sizes(given: Sequence[Values], _: Mapping[str, Values]) -> list[int]:
        return _sizes(given[index]) if index < len(given) else []

    return sizes


def _resized(given: Sequence[Values], attributes: Mapping[str, Values]) -> list[int]:
    by_factor = _input(2)(given, attributes)
    return by_factor if prod(by_factor) > 1 else _input(3)(given, attributes)


def _ranged(given: Sequence[Values], _: Mapping[str, Values]) -> list[int]:
    if [len(values) for values in given] != [1, 1, 1]:
        return []
    start, end, step = (values[0] for values in given)
    return _sizes([(end - start) / step]) if step and abs(end - start) < inf else []


def _padded(given: Sequence[Values], attributes: Mapping[str, Values]) -> list[int]:
    pads = given[1] if len(given) > 1 else attributes.get("pads", ())
    half = len(pads) // 2
    return _sizes([1 + before + after for before, after in zip(pads[:half], pads[half:], strict=False)])


def _attribute_sizes(name: str) -> Callable[[Sequence[Values], Mapping[str, Values]], list[int]]:
    return lambda _, attributes: _sizes(attributes.get(name, ()))


_GROWING: Final[Mapping[str, Callable[[Sequence[Values], Mapping[str, Values]], list[int]]]] = (
    MappingProxyType(
        {
            "ConstantOfShape": _input(0),
            "ConvTranspose": _attribute_sizes("output_shape"),
            "Expand": _input(1),
            "OneHot": _input(1),
            "Pad": _padded,
            "RandomNormal": _attribute_sizes("shape"),
            "RandomUniform": _attribute_sizes("shape"),
            "Range": _ranged,
            "Reshape": _input(1),
            "Resize": _resized,
            "Tile": _input(1),
            "Upsample": _input(1),
        }
    )
)
"""Operators whose result has a size given by an input or attribute: that size, or some of its factors."""
