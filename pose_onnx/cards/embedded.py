"""Read the card inside a model file, without any engine.

ONNX is protobuf and TFLite is flatbuffers; of either only the few fields on the way to the metadata are
read here. Field numbers: onnx.proto (ModelProto, StringStringEntryProto) and TFLite's schema.fbs.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.errors import MissingCardError, ModelFileError

_Bytes: TypeAlias = "mmap.mmap | bytes"

_ONNX_METADATA_PROPS: Final = 14
_ONNX_KEY, _ONNX_VALUE = 1, 2
_TFLITE_BUFFERS, _TFLITE_METADATA = 4, 6
_NO_CARD: Final = (
    "{!r} carries no model card; say which model it is, with --model NAME on the command line or card= in "
    "Python"
)
_METADATA_NAME, _METADATA_BUFFER, _BUFFER_DATA = 0, 1, 0


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Return the card stored in an exported model file.

    Args:
        path: A `.onnx` or `.tflite` file.

    Raises:
        ModelFileError: No such file, another kind of file, or a broken one.
        MissingCardError: An intact model without a card.
        CardError: A card with wrong fields.
    """
    file = Path(path)
    if file.is_dir():
        raise MissingCardError(_NO_CARD.format(str(file)))
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise ModelFileError(
            f"{str(file)!r} is no model file; its name must end in one of {sorted(_READERS)}"
        )
    if not file.is_file() or file.stat().st_size == 0:
        raise ModelFileError(
            f"model file {str(file)!r} does not exist or is empty; export or download it again"
        )
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            text = reader(content)
        except (IndexError, struct.error, ValueError) as error:
            raise ModelFileError(
                f"{str(file)!r} is broken or no {file.suffix} model ({error}); export or download it again"
            ) from error
    if text is None:
        raise MissingCardError(_NO_CARD.format(str(file)))
    return ModelCard.from_json(text)


def _onnx_card(content: _Bytes) -> bytes | None:
    for number, entry in _protobuf_fields(content):
        if number == _ONNX_METADATA_PROPS:
            pair = dict(_protobuf_fields(entry))
            if pair.get(_ONNX_KEY) == CARD_KEY.encode():
                return pair.get(_ONNX_VALUE, b"")
    return None


def _protobuf_fields(content: _Bytes) -> Iterator[tuple[int, bytes]]:
    """Give number and bytes of each length-delimited field; skip those of other kinds."""
    position, size = 0, len(content)
    while position < size:
        tag, position = _varint(content, position)
        kind = tag & 7
        if kind == 0:
            _, position = _varint(content, position)
            continue
        if kind == 2:  # noqa: PLR2004 (protobuf wire type: length-delimited)
            length, position = _varint(content, position)
        elif kind in _FIXED_LENGTH:
            length = _FIXED_LENGTH[kind]
        else:
            raise ValueError(f"byte {position} is no protobuf field")
        if position + length > size:
            raise ValueError("it ends in the middle of a field")
        if kind == 2 and (tag >> 3 == _ONNX_METADATA_PROPS or isinstance(content, bytes)):  # noqa: PLR2004
            yield tag >> 3, content[position : position + length]
        position += length


_FIXED_LENGTH: Final = MappingProxyType({1: 8, 5: 4})


def _varint(content: _Bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 (the high bit says that more follows)
            return value, position
    raise ValueError("a number is too long")


def _tflite_card(content: _Bytes) -> bytes | None:
    if content[4:8] != b"TFL3":
        raise ValueError("it does not start as a TFLite file")
    model = _Table(content, _u32(content, 0))
    buffers = model.tables(_TFLITE_BUFFERS)
    for entry in model.tables(_TFLITE_METADATA):
        if entry.vector(_METADATA_NAME) == CARD_KEY.encode():
            return buffers[entry.u32(_METADATA_BUFFER)].vector(_BUFFER_DATA)
    return None


class _Table:
    """One flatbuffers table: a position and, through its vtable, the places of its fields."""

    def __init__(self, content: _Bytes, position: int) -> None:
        self.content, self.position = content, position
        self.vtable = position - struct.unpack_from("<i", content, position)[0]
        if self.vtable < 0:
            raise ValueError("a table points outside the file")
        self.vtable_size = struct.unpack_from("<H", content, self.vtable)[0]

    def field(self, index: int) -> int | None:
        slot = 4 + 2 * index
        if slot >= self.vtable_size:
            return None
        offset = struct.unpack_from("<H", self.content, self.vtable + slot)[0]
        return self.position + offset if offset else None

    def u32(self, index: int) -> int:
        place = self.field(index)
        return 0 if place is None else _u32(self.content, place)

    def _vector_at(self, index: int) -> tuple[int, int]:
        place = self.field(index)
        if place is None:
            return 0, 0
        start = place + _u32(self.content, place)
        return start + 4, _u32(self.content, start)

    def vector(self, index: int) -> bytes:
        start, length = self._vector_at(index)
        data = self.content[start : start + length]
        if len(data) != length:
            raise ValueError("it ends in the middle of a buffer")
        return data

    def tables(self, index: int) -> list[_Table]:
        start, length = self._vector_at(index)
        places = range(start, start + 4 * length, 4)
        return [_Table(self.content, place + _u32(self.content, place)) for place in places]


def _u32(content: _Bytes, position: int) -> int:
    value: int = struct.unpack_from("<I", content, position)[0]
    return value


_READERS: Final[MappingProxyType[str, Callable[[_Bytes], bytes | None]]] = MappingProxyType(
    {".onnx": _onnx_card, ".tflite": _tflite_card}
)
