"""Read flatbuffers that nobody vouches for: every offset is checked before it is followed.

A file may point to one table from many places, and so say more than its size: the work is bounded.
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
# Tables, and numbers in vectors, that are read before a file is given up. The largest of ours has 6,000.
_BUDGET: Final = 1_000_000


class Flatbuffer:
    """The content of a file, and how much more of it may be read."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._left = _BUDGET

    def root(self) -> Table:
        """The table to which the file points first.

        Raises:
            ValueError: Whatever is read is not as a flatbuffer has it; so do all methods of `Table`.
        """
        return Table(self, self.follow(0))

    def unpack(self, form: struct.Struct, place: int) -> tuple[int, ...]:
        """The numbers at a place."""
        self.demand(place, form.size)
        return form.unpack_from(self.content, place)

    def follow(self, place: int) -> int:
        """Where the offset at a place leads."""
        return place + self.unpack(_OFFSET, place)[0]

    def demand(self, start: int, size: int) -> None:
        """Refuse bytes that the file does not have."""
        if start < 0 or start + size > len(self.content):
            raise ValueError("it ends too early")

    def spend(self, count: int) -> None:
        """Take note that so many things are read."""
        self._left -= count
        if self._left < 0:
            raise ValueError("it is too complex, or points to the same place again and again")


class Table:
    """One table: a position and, through its vtable, the places of its fields."""

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
        """A number, by its letter in `struct`."""
        layout = struct.Struct(f"<{form}")
        place = self._place(field, layout.size)
        return default if place is None else self._file.unpack(layout, place)[0]

    def table(self, field: int) -> Table | None:
        """A table, None where it is absent."""
        place = self._place(field, _OFFSET.size)
        return None if place is None else Table(self._file, self._file.follow(place))

    def span(self, field: int, size: int = 1) -> tuple[int, int] | None:
        """Where the elements of a vector start, and how many there are; None where it is absent."""
        place = self._place(field, _OFFSET.size)
        if place is None:
            return None
        start = self._file.follow(place)
        (count,) = self._file.unpack(_OFFSET, start)
        self._file.demand(start + _OFFSET.size, count * size)
        return start + _OFFSET.size, count

    def data(self, field: int) -> bytes:
        """A vector of bytes."""
        start, count = self.span(field) or (0, 0)
        return self._file.content[start : start + count]

    def text(self, field: int) -> str:
        """A string, which must be there: engines read it up to its null without a second look."""
        span = self.span(field)
        if span is None:
            raise ValueError("a name is missing")
        end = sum(span)
        self._file.demand(end, 1)
        if self._file.content[end]:
            raise ValueError("a name does not end")
        return self._file.content[span[0] : end].decode()

    def numbers(self, field: int, form: str = "i") -> tuple[int, ...] | None:
        """A vector of numbers, None where it is absent."""
        span = self.span(field, struct.calcsize(f"<{form}"))
        if span is None:
            return None
        self._file.spend(span[1])
        return self._file.unpack(struct.Struct(f"<{span[1]}{form}"), span[0])

    def tables(self, field: int) -> list[Table]:
        """A vector of tables; absent is empty."""
        start, count = self.span(field, _OFFSET.size) or (0, 0)
        self._file.spend(count)
        places = range(start, start + count * _OFFSET.size, _OFFSET.size)
        return [Table(self._file, self._file.follow(place)) for place in places]
