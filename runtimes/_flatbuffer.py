"""Is a TFLite file whole? tflite-runtime reads past the end of a file that was cut off, and crashes.

Only what leads from one place of the file to another is followed; field numbers: TFLite's schema.fbs.
A field's kind is a number (a vector of elements of so many bytes), a mapping (a table with these fields)
or a tuple of one mapping (a vector of such tables).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

_STRING: Final = 1
_BYTES: Final = 1
_INTS: Final = 4
_FLOATS: Final = 4
_LONGS: Final = 8

_OPERATOR_CODE: Final = {1: _STRING}
_QUANTIZATION: Final = {0: _FLOATS, 1: _FLOATS, 2: _FLOATS, 3: _LONGS}
_TENSOR: Final = {0: _INTS, 3: _STRING, 4: _QUANTIZATION, 7: _INTS}
_OPTIONS: Final[dict[int, Any]] = {}
_OPERATOR: Final = {1: _INTS, 2: _INTS, 4: _OPTIONS, 5: _BYTES}
_SUBGRAPH: Final = {0: (_TENSOR,), 1: _INTS, 2: _INTS, 3: (_OPERATOR,), 4: _STRING}
_BUFFER: Final = {0: _BYTES}
_METADATA: Final = {0: _STRING}
_TENSOR_MAP: Final = {0: _STRING}
_SIGNATURE: Final = {0: (_TENSOR_MAP,), 1: (_TENSOR_MAP,), 2: _STRING}
_MODEL: Final = {
    1: (_OPERATOR_CODE,),
    2: (_SUBGRAPH,),
    3: _STRING,
    4: (_BUFFER,),
    6: (_METADATA,),
    7: (_SIGNATURE,),
}

_OFFSET: Final = struct.Struct("<I")
_BACKWARDS: Final = struct.Struct("<i")
_SIZES: Final = struct.Struct("<HH")
_SLOT: Final = struct.Struct("<H")


def check_whole(content: bytes) -> None:
    """Follow every offset of a TFLite file.

    Raises:
        ValueError: One of them leads out of the file.
    """
    try:
        _check(content, _target(content, 0), _MODEL)
    except struct.error as error:
        raise ValueError("it ends too early") from error


def _target(content: bytes, place: int) -> int:
    offset: int = _OFFSET.unpack_from(content, place)[0]
    return place + offset


def _check(content: bytes, position: int, kind: int | Mapping[int, Any] | tuple[Mapping[int, Any]]) -> None:
    if isinstance(kind, Mapping):
        _check_table(content, position, kind)
        return
    count: int = _OFFSET.unpack_from(content, position)[0]
    start, size = position + _OFFSET.size, kind if isinstance(kind, int) else _OFFSET.size
    _demand_inside(content, start + count * size)
    if isinstance(kind, tuple):
        for place in range(start, start + count * size, size):
            _check_table(content, _target(content, place), kind[0])


def _check_table(content: bytes, position: int, fields: Mapping[int, Any]) -> None:
    """Check a table: its own bytes, its list of fields (the vtable), and what these lead to."""
    vtable = position - _BACKWARDS.unpack_from(content, position)[0]
    _demand_inside(content, vtable)
    vtable_size, table_size = _SIZES.unpack_from(content, vtable)
    _demand_inside(content, vtable + vtable_size)
    _demand_inside(content, position + table_size)
    for number, kind in fields.items():
        slot = _SIZES.size + _SLOT.size * number
        if slot < vtable_size and (offset := _SLOT.unpack_from(content, vtable + slot)[0]):
            _check(content, _target(content, position + offset), kind)


def _demand_inside(content: bytes, place: int) -> None:
    if not 0 <= place <= len(content):
        raise ValueError("it ends too early")
