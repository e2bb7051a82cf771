"""Runs the opcodes of a pickle, on plain Python values.

Only the opcodes that Paddle and PyTorch write (protocols 2 to 5) are supported. The
memory that a step takes is bounded by the bytes that it reads, or charged to the budget:

- the number of steps is limited, and no step is repeated;
- sizes are compared with the remaining bytes before they are used;
- long bytes and text are not copied out of the file;
- nothing is hashed, compared or called, so nothing recurses, however deep values are nested;
- the functions that may be named are those of `calls.GLOBALS`.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from pose_onnx.budget import Budget
from pose_onnx.exporters.checkpoint.calls import GLOBALS
from pose_onnx.exporters.checkpoint.numbers import BrokenError, ForbiddenError
from pose_onnx.exporters.checkpoint.values import (
    Array,
    Call,
    Dtype,
    LongText,
    Table,
    shown,
)

Content: TypeAlias = bytes | mmap.mmap

MAX_STEPS: Final = 1_000_000
"""The largest networks need 60,000 steps, and 200,000 with the state of their optimizer."""
MAX_NAME: Final = 1024
"""Most bytes of text that is decoded."""
MAX_LONG: Final = 16
"""Most bytes of a whole number; the mark at the start of PyTorch's old files has 10."""
MAX_PROTOCOL: Final = 5
STOP: Final = ord(".")


class Machine:
    """Reads one pickle.

    Attributes:
        place: index of the next byte to read; the end of the pickle after `run`.
    """

    def __init__(
        self,
        content: Content,
        budget: Budget,
        *,
        place: int = 0,
        persistent: Callable[[object], object] | None = None,
    ) -> None:
        """Prepare to read.

        Args:
            content: the bytes that contain the pickle.
            budget: charged for values that are larger than their bytes.
            place: index at which the pickle begins.
            persistent: returns the object of a persistent id. If None, the pickle must have no such ids.
        """
        self.place = place
        self.budget = budget
        self.persistent = persistent
        self.content = content
        self.view = memoryview(content)
        self.stack: list[object] = []
        self.marked: list[list[object]] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        """Return what the pickle holds.

        Raises:
            BrokenError: it is not a pickle of the supported kind.
            ForbiddenError: it names a function or class that no array needs.
            ModelFileError: the budget is spent.
        """
        for _ in range(MAX_STEPS):
            code = self.number(1)
            if code == STOP:
                return self.pop()
            step = STEPS.get(code)
            if step is None:
                raise BrokenError(
                    f"the opcode 0x{code:02x} at byte {self.place - 1:,}, which weights do not need"
                )
            step(self)
        raise BrokenError(f"more than {MAX_STEPS:,} opcodes")

    def take(self, size: int) -> memoryview:
        """Return the next bytes."""
        if size > len(self.view) - self.place:
            raise BrokenError("it ends too early")
        start, self.place = self.place, self.place + size
        return self.view[start : self.place]

    def number(self, width: int, *, signed: bool = False) -> int:
        """Return the next integer, which takes `width` bytes."""
        return int.from_bytes(self.take(width), "little", signed=signed)

    def line(self) -> str:
        """Return the text up to the next line break."""
        end = self.content.find(b"\n", self.place, self.place + MAX_NAME)
        if end < 0:
            raise BrokenError("a name without an end")
        return _decoded(self.take(end + 1 - self.place)[:-1])

    def push(self, value: object) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> object:
        """Take a value from the stack."""
        if not self.stack:
            raise BrokenError("a missing value")
        return self.stack.pop()

    def pop_items(self) -> list[object]:
        """Take all values since the last mark from the stack."""
        if not self.marked:
            raise BrokenError("a missing mark")
        items, self.stack = self.stack, self.marked.pop()
        return items

    def remember(self, index: int) -> None:
        """Store the top value of the stack in the memo under a number."""
        if not self.stack or index >= MAX_STEPS:
            raise BrokenError("a value that cannot be stored in the memo")
        self.memo[index] = self.stack[-1]

    def recall(self, index: int) -> None:
        """Put the value stored under a number on the stack."""
        if index not in self.memo:
            raise BrokenError("a memo entry that was never stored")
        self.stack.append(self.memo[index])


def _decoded(text: memoryview) -> str:
    try:
        return str(text, "utf-8")
    except UnicodeDecodeError:
        raise BrokenError("invalid text") from None


def _text(machine: Machine, width: int) -> None:
    text = machine.take(machine.number(width))
    machine.push(_decoded(text) if len(text) <= MAX_NAME else LongText(text))


def _bytes(machine: Machine, width: int) -> None:
    machine.push(machine.take(machine.number(width)))


def _old_text(machine: Machine, width: int) -> None:
    """Python 2's `str`, which holds text or bytes: a name if it is short, else the bytes of an array."""
    text = machine.take(machine.number(width))
    machine.push(str(text, "latin1") if len(text) <= MAX_NAME else text)


def _float(machine: Machine) -> None:
    machine.push(struct.unpack(">d", machine.take(8))[0])


def _tuple(machine: Machine, count: int) -> None:
    items = [machine.pop() for _ in range(count)]
    machine.push(tuple(reversed(items)))


def _mark(machine: Machine) -> None:
    machine.marked.append(machine.stack)
    machine.stack = []


def _extend(machine: Machine, items: list[object]) -> None:
    target = machine.stack[-1] if machine.stack else None
    if not isinstance(target, list):
        raise BrokenError("values appended to something other than a list")
    target.extend(items)


def _set(machine: Machine, items: list[object]) -> None:
    target = machine.stack[-1] if machine.stack else None
    if not isinstance(target, Table) or len(items) % 2:
        raise BrokenError("values put into something other than a table")
    target.pairs.extend(zip(items[::2], items[1::2], strict=True))


def _set_one(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _set(machine, [key, value])


def _global(machine: Machine, module: object, name: object) -> None:
    if not isinstance(module, str) or not isinstance(name, str):
        raise BrokenError("a function whose name is not text")
    known = GLOBALS.get((module, name))
    if known is None:
        raise ForbiddenError(f"{shown(module)}.{shown(name)}")
    machine.push(known)


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    _global(machine, module, name)


def _reduce(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    if not isinstance(function, Call) or not isinstance(arguments, tuple):
        raise BrokenError("a call of something other than a function")
    machine.push(function.run(arguments, machine.budget))


def _build(machine: Machine) -> None:
    state = machine.pop()
    target = machine.stack[-1] if machine.stack else None
    if not isinstance(target, Array | Dtype | Table):
        raise BrokenError("a state for an object without one")
    target.build(state)


def _persistent(machine: Machine) -> None:
    if machine.persistent is None:
        raise BrokenError("a value that is stored outside the file")
    machine.push(machine.persistent(machine.pop()))


def _protocol(machine: Machine) -> None:
    if machine.number(1) > MAX_PROTOCOL:
        raise BrokenError("an unknown pickle protocol")


def _frame(machine: Machine) -> None:
    machine.take(8)  # the size of a part to read at once; not needed: all bytes are at hand


def _long(machine: Machine) -> None:
    width = machine.number(1)
    if width > MAX_LONG:
        raise BrokenError("a number that is too large")
    machine.push(machine.number(width, signed=True))


# The names are those used in the module pickletools.
STEPS: Final[Mapping[int, Callable[[Machine], None]]] = MappingProxyType(
    {
        0x80: _protocol,  # PROTO
        0x95: _frame,  # FRAME
        ord("N"): lambda m: m.push(None),  # NONE
        0x88: lambda m: m.push(value=True),  # NEWTRUE
        0x89: lambda m: m.push(value=False),  # NEWFALSE
        ord("J"): lambda m: m.push(m.number(4, signed=True)),  # BININT
        ord("K"): lambda m: m.push(m.number(1)),  # BININT1
        ord("M"): lambda m: m.push(m.number(2)),  # BININT2
        0x8A: _long,  # LONG1
        ord("G"): _float,  # BINFLOAT
        ord("C"): lambda m: _bytes(m, 1),  # SHORT_BINBYTES
        ord("B"): lambda m: _bytes(m, 4),  # BINBYTES
        0x8E: lambda m: _bytes(m, 8),  # BINBYTES8
        0x96: lambda m: _bytes(m, 8),  # BYTEARRAY8
        ord("U"): lambda m: _old_text(m, 1),  # SHORT_BINSTRING
        ord("T"): lambda m: _old_text(m, 4),  # BINSTRING
        0x8C: lambda m: _text(m, 1),  # SHORT_BINUNICODE
        ord("X"): lambda m: _text(m, 4),  # BINUNICODE
        0x8D: lambda m: _text(m, 8),  # BINUNICODE8
        ord("("): _mark,  # MARK
        ord(")"): lambda m: m.push(()),  # EMPTY_TUPLE
        0x85: lambda m: _tuple(m, 1),  # TUPLE1
        0x86: lambda m: _tuple(m, 2),  # TUPLE2
        0x87: lambda m: _tuple(m, 3),  # TUPLE3
        ord("t"): lambda m: m.push(tuple(m.pop_items())),  # TUPLE
        ord("]"): lambda m: m.push([]),  # EMPTY_LIST
        ord("a"): lambda m: _extend(m, [m.pop()]),  # APPEND
        ord("e"): lambda m: _extend(m, m.pop_items()),  # APPENDS
        ord("}"): lambda m: m.push(Table()),  # EMPTY_DICT
        ord("s"): _set_one,  # SETITEM
        ord("u"): lambda m: _set(m, m.pop_items()),  # SETITEMS
        ord("c"): lambda m: _global(m, m.line(), m.line()),  # GLOBAL
        0x93: _stack_global,  # STACK_GLOBAL
        ord("R"): _reduce,  # REDUCE
        ord("b"): _build,  # BUILD
        ord("Q"): _persistent,  # BINPERSID
        ord("q"): lambda m: m.remember(m.number(1)),  # BINPUT
        ord("r"): lambda m: m.remember(m.number(4)),  # LONG_BINPUT
        0x94: lambda m: m.remember(len(m.memo)),  # MEMOIZE
        ord("h"): lambda m: m.recall(m.number(1)),  # BINGET
        ord("j"): lambda m: m.recall(m.number(4)),  # LONG_BINGET
    }
)
"""What each opcode does."""
