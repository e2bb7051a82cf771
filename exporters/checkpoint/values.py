"""What a pickle can make: plain Python values, and these descriptions of tables, text and arrays.

Nothing here is hashed, compared or copied while a pickle runs. So no value, however
deeply nested, costs more than the bytes that made it.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.budget import Budget
from pose_onnx.exporters.checkpoint.numbers import SIZES, BrokenError, Bytes, checked_sizes, floats, steps_of

_CHUNK: Final = 1 << 20
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True, eq=False)
class LongText:
    """Text too long for a name, not decoded yet: the bytes of an array, as protocol 2 writes them."""

    utf8: memoryview

    def latin1(self, budget: Budget) -> memoryview:
        """Return the bytes that were written as text.

        Raises:
            BrokenError: it is not Latin-1 text.
            ModelFileError: the budget is spent.
        """
        budget.take(len(self.utf8))
        decoder, found = codecs.getincrementaldecoder("utf-8")(), bytearray()
        try:
            for start in range(0, len(self.utf8), _CHUNK):
                found += _latin1(decoder.decode(self.utf8[start : start + _CHUNK]))
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise BrokenError("invalid text") from None
        return memoryview(found)


class Table:
    """A dict, as the list of its pairs. A key need not be hashable."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[object, object]] = []

    def build(self, state: object) -> None:
        """Ignore the attributes of an `OrderedDict`, such as the layer versions of PyTorch."""

    def named(self) -> dict[str, object]:
        """Return it as a dict.

        Raises:
            BrokenError: a key is not text.
        """
        named = {key: value for key, value in self.pairs if isinstance(key, str)}
        if any(not isinstance(key, str) for key, _ in self.pairs):
            raise BrokenError("a table whose keys are not names")
        return named


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A class that a pickle may name but that is never called: `numpy.ndarray`, `torch.FloatStorage`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What runs here when a pickle calls a function."""

    run: Callable[[tuple[object, ...], Budget], object]


@dataclass(slots=True, eq=False)
class Dtype:
    """`numpy.dtype`, for the number types in `SIZES`."""

    code: str
    order: str = "|"

    def build(self, state: object) -> None:
        """Take the byte order out of (version, order, None, None, None, -1, -1, flags).

        Raises:
            BrokenError: it is the state of something other than plain numbers.
        """
        if not isinstance(state, tuple) or state[2:5] != (None, None, None) or not isinstance(state[1], str):
            raise BrokenError("a dtype that is not a plain number")
        self.order = state[1]


@dataclass(slots=True, eq=False)
class Array:
    """`numpy.ndarray`, described; its numbers are still bytes."""

    dtype: Dtype = field(default_factory=lambda: Dtype("f4"))
    shape: object = None
    is_fortran: object = False
    data: Bytes = b""

    def build(self, state: object) -> None:
        """Take over (version, shape, dtype, whether in Fortran order, data).

        Raises:
            BrokenError: it is the state of something else.
        """
        if not isinstance(state, tuple) or len(state) != len(
            ("version", "shape", "dtype", "fortran", "data")
        ):
            raise BrokenError("an array with an unknown form of state")
        _, self.shape, dtype, self.is_fortran, data = state
        self.dtype, self.data = dtype_of(dtype), bytes_of(data)

    def floats(self, budget: Budget) -> NDArray[np.float32]:
        """Return its numbers; errors as in `numbers.floats`."""
        sizes = checked_sizes(self.shape)
        if math.prod(sizes) * SIZES[self.dtype.code] != len(self.data):
            raise BrokenError(f"an array of shape {sizes} with {len(self.data):,} bytes")
        strides = steps_of(sizes[::-1])[::-1] if self.is_fortran is True else steps_of(sizes)
        return floats(self.data, self.dtype.code, self.dtype.order, sizes, strides, 0, budget)


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """A storage of PyTorch: a sequence of numbers that any number of tensors may share.

    Attributes:
        key: its name in the file.
        code: type of its numbers, a key of `numbers.SIZES`.
        count: how many numbers it has.
        start: index of the number that the tensors' offsets count from.
        read_bytes: returns its bytes and their order, by key.
    """

    key: str
    code: str
    count: int
    start: int
    read_bytes: Callable[[str], tuple[Bytes, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor of PyTorch, described: the part of its storage that it uses."""

    storage: Storage
    offset: object
    shape: object
    strides: object

    def floats(self, budget: Budget) -> NDArray[np.float32]:
        """Return its numbers; errors as in `numbers.floats`."""
        storage = self.storage
        data, order = storage.read_bytes(storage.key)
        if len(data) != storage.count * SIZES[storage.code]:
            raise BrokenError(f"a storage of {storage.count:,} numbers with {len(data):,} bytes")
        (offset,) = checked_sizes((self.offset,))
        return floats(data, storage.code, order, self.shape, self.strides, storage.start + offset, budget)


def dtype_of(value: object) -> Dtype:
    """Return a dtype unchanged, after checking that it is one.

    Raises:
        BrokenError: it is something else.
    """
    if not isinstance(value, Dtype):
        raise BrokenError("an array whose dtype is not a dtype")
    return value


def bytes_of(value: object) -> Bytes:
    """Return bytes unchanged, and text of Python 2 pickles (where text and bytes were one type) as bytes.

    Raises:
        BrokenError: it is something else.
    """
    if isinstance(value, str):
        return _latin1(value)
    if not isinstance(value, bytes | memoryview):
        raise BrokenError("an array whose data is not bytes")
    return value


def _latin1(text: str) -> bytes:
    try:
        return text.encode("latin1")
    except UnicodeEncodeError:
        raise BrokenError("bytes written as invalid text") from None


def shown(text: str) -> str:
    """Return a name from a file in a form that is safe to quote in a message."""
    return "".join(c if c.isprintable() else "?" for c in text[:_SHOWN])
