"""Checks that a TFLite file is complete and consistent: interpreters trust it, and crash if it is wrong.

Every index must be valid, vector lengths must match, nothing may be too large, and every operator must have
the inputs and options that engines read unchecked (`_tflite_operators`). Field numbers: TFLite's schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import Final

from pose_onnx.runtimes._flatbuffer import Content, Flatbuffer, Table
from pose_onnx.runtimes._model_facts import ModelFacts, demand_size
from pose_onnx.runtimes._protocol import TensorSpec
from pose_onnx.runtimes._tflite_operators import TensorFacts, check_options, check_size, inputs_of

SIGNATURE: Final = "serving_default"
_IDENTIFIER: Final = b"TFL3"
_IDENTIFIER_AT: Final = slice(4, 8)
_CODES, _SUBGRAPHS, _BUFFERS, _METADATA, _SIGNATURES = 1, 2, 4, 6, 7
_DEPRECATED_CODE, _CUSTOM_CODE, _CODE = 0, 1, 3
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3
_SHAPE, _TYPE, _BUFFER, _NAME, _QUANTIZATION, _IS_VARIABLE, _SPARSITY, _SHAPE_SIGNATURE = range(8)
_SCALE, _ZERO_POINT, _DETAILS, _QUANTIZED_DIMENSION = 2, 3, 5, 6
_OPCODE_INDEX, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS, _OPTIONS_TYPE, _OPTIONS = 0, 1, 2, 3, 4
_CUSTOM_OPTIONS, _MUTATING, _INTERMEDIATES, _OPTIONS_2 = 5, 7, 8, 12
_DATA, _DATA_OFFSET, _DATA_SIZE = 0, 1, 2
_SIGNATURE_INPUTS, _SIGNATURE_OUTPUTS, _SIGNATURE_KEY, _SIGNATURE_SUBGRAPH = 0, 1, 2, 4
# Operators that run another subgraph: CALL, IF, WHILE, CALL_ONCE.
_CALLS: Final = frozenset({31, 118, 119, 129})
# The vectors in the options tables, by options type: ReshapeOptions and SqueezeOptions have one each.
_OPTION_VECTORS: Final[Mapping[int, str]] = MappingProxyType({17: "i", 30: "i"})
# Options types with other vectors: ConcatEmbeddings, Bucketize, and all from the StableHLO ones on.
_OPAQUE_OPTIONS: Final = frozenset({3, 115, *range(119, 256)})
# NumPy name and size in bytes of each element type that occurs in our networks, including int8 ones.
_TYPES: Final[Mapping[int, tuple[str, int]]] = MappingProxyType(
    {
        0: ("float32", 4),
        1: ("float16", 2),
        2: ("int32", 4),
        3: ("uint8", 1),
        4: ("int64", 8),
        6: ("bool", 1),
        7: ("int16", 2),
        9: ("int8", 1),
        10: ("float64", 8),
        15: ("uint32", 4),
        16: ("uint16", 2),
    }
)
_FREE: Final = -1
# `struct` letters of the integer types that sizes are stored in, and a limit on how many a size vector has.
_INTEGERS: Final[Mapping[str, str]] = MappingProxyType({"int32": "i", "int64": "q"})
_MAX_VALUES: Final = 64
_IMAGE_RANK: Final = 4
_TO_NCHW: Final = (0, 3, 1, 2)


def read_tflite(content: Content) -> ModelFacts:
    """Check a TFLite file, and return its facts.

    Raises:
        ValueError: The file is broken, or is not safe to open in an interpreter.
    """
    if content[_IDENTIFIER_AT] != _IDENTIFIER:
        raise ValueError(f"its identifier is {content[_IDENTIFIER_AT]!r}, not {_IDENTIFIER!r}")
    file = Flatbuffer(content)
    model = file.root()
    buffers = model.tables(_BUFFERS)
    sizes = [_buffer_size(buffer, file) for buffer in buffers]
    subgraphs = model.tables(_SUBGRAPHS)
    if len(subgraphs) != 1:
        raise ValueError(f"it has {len(subgraphs)} subgraphs; only one is supported")
    tensors = subgraphs[0].tables(_TENSORS)
    specs = [_tensor(tensor, index, sizes) for index, tensor in enumerate(tensors)]
    known = {index for index, tensor in enumerate(tensors) if _has_value(tensor, sizes)}
    facts = [_facts(tensor, spec, buffers) for tensor, spec in zip(tensors, specs, strict=True)]
    _check_operators(subgraphs[0], [_code(code) for code in model.tables(_CODES)], known, specs, facts)
    inputs, outputs = _read_signature(model, subgraphs[0], specs)
    return ModelFacts(inputs, outputs, _read_metadata(model, buffers))


def _demand_index(index: int, count: int, what: str) -> int:
    if not 0 <= index < count:
        raise ValueError(f"{what} has the number {index}, but there are {count}")
    return index


def _indices(table: Table, field: int, count: int, what: str) -> tuple[int, ...]:
    return tuple(
        _demand_index(index, count, f"a tensor of the {what}") for index in table.numbers(field) or ()
    )


def _buffer_size(buffer: Table, file: Flatbuffer) -> int:
    offset, size = buffer.number(_DATA_OFFSET, "Q"), buffer.number(_DATA_SIZE, "Q")
    if offset > 1:
        file.demand(offset, size)
        return size
    span = buffer.span(_DATA)
    return span[1] if span else 0


def _tensor(tensor: Table, index: int, buffer_sizes: Sequence[int]) -> TensorSpec:
    name = tensor.text(_NAME) if tensor.span(_NAME) else ""
    what = f"tensor {index} ({name!r})"
    kind = tensor.number(_TYPE, "b")
    if kind not in _TYPES:
        raise ValueError(f"{what} has the element type {kind}, which no model for people needs")
    dtype, item_bytes = _TYPES[kind]
    if tensor.table(_SPARSITY):
        raise ValueError(f"{what} is sparse, which no model for people needs")
    shape = tensor.numbers(_SHAPE) or ()
    signature = tensor.numbers(_SHAPE_SIGNATURE) or shape
    agrees = len(signature) == len(shape) and all(
        said in (_FREE, size) for said, size in zip(signature, shape, strict=True)
    )
    if min(shape, default=0) < 0 or not agrees:
        raise ValueError(f"{what} has the shape {shape} and the signature {signature}")
    demand_size(shape, what, item_bytes)
    size = buffer_sizes[
        _demand_index(tensor.number(_BUFFER, "I"), len(buffer_sizes), f"the buffer of {what}")
    ]
    if size not in (0, prod(shape) * item_bytes):
        raise ValueError(f"{what} has {size} bytes, but its shape is {shape} of {dtype}")
    _check_quantization(tensor, shape, what)
    return TensorSpec(name, tuple(None if size < 0 else size for size in signature), dtype)


def _check_quantization(tensor: Table, shape: Sequence[int], what: str) -> None:
    table = tensor.table(_QUANTIZATION)
    if table is None:
        return
    scales, zeros = table.numbers(_SCALE, "f") or (), table.numbers(_ZERO_POINT, "q") or ()
    axis = table.number(_QUANTIZED_DIMENSION)
    per_axis = shape[axis] if 0 <= axis < len(shape) else 1
    if len(scales) not in (0, 1, per_axis) or len(zeros) not in (0, 1, len(scales)) or table.table(_DETAILS):
        raise ValueError(f"{what} of the shape {shape} has {len(scales)} scales and {len(zeros)} zero points")


def _code(table: Table) -> int:
    if table.span(_CUSTOM_CODE):
        table.text(_CUSTOM_CODE)
    return max(table.number(_DEPRECATED_CODE, "b"), table.number(_CODE))


def _has_value(tensor: Table, buffer_sizes: Sequence[int]) -> bool:
    """Return whether a tensor has values before any operator runs; state tensors start with zeros."""
    return buffer_sizes[tensor.number(_BUFFER, "I")] > 0 or bool(tensor.number(_IS_VARIABLE, "B"))


def _facts(tensor: Table, spec: TensorSpec, buffers: Sequence[Table]) -> TensorFacts:
    """Return the facts about a tensor that the operator checks need."""
    shape = tensor.numbers(_SHAPE) or ()
    letter = _INTEGERS.get(spec.dtype)
    if letter is None or prod(shape) > _MAX_VALUES:
        return TensorFacts(shape, None)
    data = buffers[tensor.number(_BUFFER, "I")].data(_DATA)
    values = struct.unpack(f"<{prod(shape)}{letter}", data) if data else None
    return TensorFacts(shape, values)


def _check_operators(
    subgraph: Table,
    codes: Sequence[int],
    known: set[int],
    specs: Sequence[TensorSpec],
    facts: Sequence[TensorFacts],
) -> None:
    """Check that operators read only tensors that already have values, and write only tensors without."""
    tensors = len(facts)
    inputs = _indices(subgraph, _INPUTS, tensors, "subgraph")
    for index in inputs:
        _check_free_sizes(specs[index], facts[index])
    known |= set(inputs)
    for operator in subgraph.tables(_OPERATORS):
        code = codes[
            _demand_index(operator.number(_OPCODE_INDEX, "I"), len(codes), "the code of an operator")
        ]
        _check_options(operator, code, tensors)
        read = [
            _demand_index(index, tensors, f"an input of an operator of code {code}")
            for index in inputs_of(operator.numbers(_OPERATOR_INPUTS) or (), code)
        ]
        if not known.issuperset(read):
            missing = sorted(set(read) - known)
            raise ValueError(f"an operator reads the tensors {missing} before they are written")
        for index in _indices(operator, _OPERATOR_OUTPUTS, tensors, "operator"):
            if index in known:
                raise ValueError(f"tensor {index} is written, but already has values")
            known.add(index)
            check_size([facts[place] for place in read], facts[index], code)
    missing = sorted(set(_indices(subgraph, _OUTPUTS, tensors, "subgraph")) - known)
    if missing:
        raise ValueError(f"nothing writes the outputs {missing}")


def _check_free_sizes(spec: TensorSpec, facts: TensorFacts) -> None:
    """Check that a free size of an input is initially 1: that is the size allocated and fed."""
    if any(said is None and size != 1 for said, size in zip(spec.shape, facts.shape, strict=True)):
        raise ValueError(
            f"input {spec.name!r} has the shape {facts.shape}, which does not fit its signature {spec.shape}"
        )


def _check_options(operator: Table, code: int, tensors: int) -> None:
    """Check the parts of an operator other than its inputs and outputs."""
    if code in _CALLS:
        raise ValueError("an operator calls another subgraph, but there is none")
    _indices(operator, _INTERMEDIATES, tensors, "operator")
    operator.numbers(_MUTATING, "b")
    operator.span(_CUSTOM_OPTIONS)
    kind, options = operator.number(_OPTIONS_TYPE, "B"), operator.table(_OPTIONS)
    if kind in _OPAQUE_OPTIONS or operator.table(_OPTIONS_2):
        raise ValueError(f"an operator has options of type {kind}, which no model for people needs")
    if options:
        check_options(options, code)
        if kind in _OPTION_VECTORS:
            options.numbers(0, _OPTION_VECTORS[kind])


def _read_signature(
    model: Table, subgraph: Table, specs: Sequence[TensorSpec]
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    found = None
    for signature in model.tables(_SIGNATURES):
        _demand_index(signature.number(_SIGNATURE_SUBGRAPH, "I"), 1, "the subgraph of a signature")
        ends = tuple(
            tuple(_end(entry, subgraph.numbers(there) or (), specs) for entry in signature.tables(field))
            for field, there in ((_SIGNATURE_INPUTS, _INPUTS), (_SIGNATURE_OUTPUTS, _OUTPUTS))
        )
        if signature.text(_SIGNATURE_KEY) == SIGNATURE:
            found = ends
    if found is None or not all(found):
        raise ValueError(f"it has no signature {SIGNATURE!r} with inputs and outputs")
    names = [spec.name for specs in found for spec in specs]
    if len(set(names)) < len(names):
        raise ValueError(f"two inputs or outputs have the same name: {', '.join(names)}")
    return found[0], found[1]


def _end(entry: Table, ends: Sequence[int], specs: Sequence[TensorSpec]) -> TensorSpec:
    index = entry.number(1, "I")
    if index not in ends:
        raise ValueError(f"a signature names tensor {index}, but the subgraph has {list(ends)}")
    spec = specs[index]
    shape = spec.shape
    if len(shape) == _IMAGE_RANK:
        shape = tuple(shape[axis] for axis in _TO_NCHW)
    return TensorSpec(entry.text(0), shape, spec.dtype)


def _read_metadata(model: Table, buffers: Sequence[Table]) -> dict[str, bytes]:
    entries = {}
    for entry in model.tables(_METADATA):
        name = entry.text(0)
        index = _demand_index(entry.number(1, "I"), len(buffers), f"the buffer of the metadata {name!r}")
        entries[name] = buffers[index].data(_DATA)
    return entries
