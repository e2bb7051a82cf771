"""Reads untrusted flatbuffers: every offset is checked before it is followed.

A file may point to one table from many places, so reading it may take more work than its size suggests. The
amount of work is limited.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final, TypeAlias

Content: TypeAlias = "bytes | mmap.mmap"

_OFFSET: Final = struct.Struct("<I")
_BACKWARDS: Final = struct.Struct("<i")
_SIZES: Final = struct.Struct("<HH")
_SLOT: Final = struct.Struct("<H")
# Limit of tables, and numbers in vectors, read from one file. Our largest file has 6,000.
_BUDGET: Final = 1_000_000


class Flatbuffer:
    """The content of a file, and the remaining reading budget."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._left = _BUDGET

    def root(self) -> Table:
        """The root table of the file.

        Raises:
            ValueError: The data is not a valid flatbuffer. All methods of `Table` raise this too.
        """
        return Table(self, self.follow(0))

    def unpack(self, form: struct.Struct, place: int) -> tuple[int, ...]:
        """Return the numbers at a position."""
        self.demand(place, form.size)
        return form.unpack_from(self.content, place)

    def follow(self, place: int) -> int:
        """Return the position that the offset at a position points to."""
        return place + self.unpack(_OFFSET, place)[0]

    def demand(self, start: int, size: int) -> None:
        """Refuse a range that is not inside the file."""
        if start < 0 or start + size > len(self.content):
            raise ValueError("it ends too early")

    def spend(self, count: int) -> None:
        """Subtract the number of items read from the budget."""
        self._left -= count
        if self._left < 0:
            raise ValueError("it is too complex, or points to the same place again and again")


class Table:
    """One table: its position and, from its vtable, the positions of its fields."""

    def __init__(self, file: Flatbuffer, position: int) -> None:
        file.spend(1)
        self._file, self._position = file, position
        self._vtable = position - file.unpack(_BACKWARDS, position)[0]
        self._vtable_size, self._size = file.unpack(_SIZES, self._vtable)
        file.demand(self._vtable, self._vtable_size)
        file.demand(position, self._size)

    def _place(self, field: int, size: int) -> int | None:
        slot = _SIZES.size + _SLOT.size * field
        if slot + _SLOT.size > self._vtable_size:
            return None
        (offset,) = self._file.unpack(_SLOT, self._vtable + slot)
        if not offset:
            return None
        if offset + size > self._size:
            raise ValueError(f"field {field} of a table lies outside of it")
        return self._position + offset

    def number(self, field: int, form: str = "i", default: int = 0) -> int:
        """Return a number of the type with this letter in `struct`."""
        layout = struct.Struct(f"<{form}")
        place = self._place(field, layout.size)
        return default if place is None else self._file.unpack(layout, place)[0]

    def table(self, field: int) -> Table | None:
        """Return a table, or None if it is absent."""
        place = self._place(field, _OFFSET.size)
        return None if place is None else Table(self._file, self._file.follow(place))

    def span(self, field: int, size: int = 1) -> tuple[int, int] | None:
        """Return the position of a vector's first element and the number of elements; None if absent."""
        place = self._place(field, _OFFSET.size)
        if place is None:
            return None
        start = self._file.follow(place)
        (count,) = self._file.unpack(_OFFSET, start)
        self._file.demand(start + _OFFSET.size, count * size)
        return start + _OFFSET.size, count

    def data(self, field: int) -> bytes:
        """Return a vector of bytes."""
        start, count = self.span(field) or (0, 0)
        return self._file.content[start : start + count]

    def text(self, field: int) -> str:
        """Return a string, which must be present: engines read it up to its null byte without checks."""
        span = self.span(field)
        if span is None:
            raise ValueError("a name is missing")
        end = sum(span)
        self._file.demand(end, 1)
        if self._file.content[end]:
            raise ValueError("a name does not end")
        return self._file.content[span[0] : end].decode()

    def numbers(self, field: int, form: str = "i") -> tuple[int, ...] | None:
        """Return a vector of numbers, or None if it is absent."""
        span = self.span(field, struct.calcsize(f"<{form}"))
        if span is None:
            return None
        self._file.spend(span[1])
        return self._file.unpack(struct.Struct(f"<{span[1]}{form}"), span[0])

    def tables(self, field: int) -> list[Table]:
        """Return a vector of tables; empty if it is absent."""
        start, count = self.span(field, _OFFSET.size) or (0, 0)
        self._file.spend(count)
        places = range(start, start + count * _OFFSET.size, _OFFSET.size)
        return [Table(self._file, self._file.follow(place)) for place in places]
