"""Reads untrusted protobuf: only the message fields that a reader asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from pose_onnx.runtimes._flatbuffer import Content

VARINT: Final = 0
"""Wire type of a field that holds a whole number."""
BYTES: Final = 2
"""Wire type of a field that holds bytes."""
_FIXED: Final = {1: 8, 5: 4}
# Limit of fields and numbers read from one file. Our largest file has 30,000.
_BUDGET: Final = 2_000_000

Span: TypeAlias = "tuple[int, int]"


class Protobuf:
    """The content of a file, and the remaining reading budget."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._left = _BUDGET

    def fields(self, span: Span) -> Iterator[tuple[int, int, Any]]:
        """Yield number, wire type and value of each field. The value of a bytes field is its start and end.

        Raises:
            ValueError: It is not valid protobuf, or has too many fields. All methods raise this too.
        """
        position, end = span
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise ValueError("it has too many fields")
            tag, position = self._varint(position, end)
            kind = tag & 7
            value: Any
            if kind == VARINT:
                value, position = self._varint(position, end)
            elif kind == BYTES:
                length, start = self._varint(position, end)
                value, position = (start, start + length), start + length
            elif kind in _FIXED:
                value, position = None, position + _FIXED[kind]
            else:
                raise ValueError(f"byte {position} is not a protobuf field")
            if position > end:
                raise ValueError("it ends in the middle of a field")
            yield tag >> 3, kind, value

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if position >= end:
                raise ValueError("it ends in the middle of a number")
            byte = self.content[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 (the high bit says that more follows)
                return value, position
        raise ValueError("a number is too long")

    def integers(self, kind: int, value: Any) -> list[int]:
        """Return the signed integers of a field: one, or several if packed; none if it has another type."""
        if kind == VARINT:
            return [signed(value)]
        if kind != BYTES:
            return []
        numbers, (position, end) = [], value
        while position < end:
            number, position = self._varint(position, end)
            numbers.append(signed(number))
            self._left -= 1
            if self._left < 0:
                raise ValueError("it has too many numbers")
        return numbers

    def text(self, span: Span) -> str:
        """Return a string, which protobuf encodes in UTF-8."""
        return self.content[span[0] : span[1]].decode()

    def messages(self, span: Span) -> Iterator[tuple[int, Span]]:
        """Yield number and position of each field of bytes: a message, a string, or packed numbers."""
        return ((number, value) for number, kind, value in self.fields(span) if kind == BYTES)


def signed(value: int) -> int:
    """Return the signed integer that a 64-bit varint encodes."""
    return value - 2**64 if value >= 2**63 else value
