"""Writes an ONNX model with its weights, which are copied only once: into the result.

Protobuf's own serialiser takes more than three copies: the model's messages, a buffer that grows, and the
result. In the result a message is its fields in the order of their numbers, and each field can be serialised
by itself.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import Message
from onnx import helper

from pose_onnx.exporters.graph import Array, Graph

# Field numbers of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data.
_GRAPH: Final = 7
_INITIALIZER: Final = 5
_RAW_DATA: Final = 9
_LENGTH_FOLLOWS: Final = 2  # type of a field that holds bytes or a message
_VARINT_BITS: Final = 7


def serialize(graph: Graph, skeleton: onnx.ModelProto) -> bytes:
    """Return what protobuf's serialiser makes of the skeleton with all constants of its graph.

    Args:
        graph: A graph.
        skeleton: Of the graph; there may be more in its metadata.
    """
    bare = onnx.GraphProto()
    bare.CopyFrom(skeleton.graph)
    del bare.input[len(graph.inputs) :]
    nodes, values = _serialized_around(bare, _INITIALIZER)
    before, after = _serialized_around(skeleton, _GRAPH)
    heads = {name: _tensor_head(name, array) for name, array in graph.constants.items()}
    tensors = sum(len(head) + graph.constants[name].nbytes for name, head in heads.items())
    file = io.BytesIO()
    file.write(before + _field(_GRAPH, len(nodes) + tensors + len(values)) + nodes)
    for name, head in heads.items():
        array = graph.constants[name]
        file.write(head)
        file.write(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    file.write(values + after)
    return file.getvalue()


def _tensor_head(name: str, array: Array) -> bytes:
    """Serialise an initialiser up to its numbers, which are the last field of its message."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(array.dtype))
    tensor = onnx.TensorProto(name=name, data_type=kind, dims=array.shape)
    described = bytes(tensor.SerializeToString()) + _field(_RAW_DATA, array.nbytes)
    return _field(_INITIALIZER, len(described) + array.nbytes) + described


def _serialized_around(message: Message, number: int) -> tuple[bytes, bytes]:
    """Serialise the fields before and after one of a message."""
    before, after = type(message)(), type(message)()
    for part in (before, after):
        part.CopyFrom(message)
    for field, _ in message.ListFields():
        if field.number >= number:
            before.ClearField(field.name)
        if field.number <= number:
            after.ClearField(field.name)
    return bytes(before.SerializeToString()), bytes(after.SerializeToString())


def _field(number: int, size: int) -> bytes:
    """Start a field that holds so many bytes."""
    return _varint(number << 3 | _LENGTH_FOLLOWS) + _varint(size)


def _varint(value: int) -> bytes:
    """Write a number in groups of 7 bits, the lowest first; all but the last have the highest bit set."""
    groups = []
    while value >> _VARINT_BITS:
        groups.append(value & 0x7F | 0x80)
        value >>= _VARINT_BITS
    return bytes([*groups, value])
