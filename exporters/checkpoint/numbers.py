"""Converts bytes to float32 arrays: the only place where NumPy gets values from a file.

NumPy gets a dtype from the table below, a shape and strides that were checked as
Python integers, and a buffer that is large enough for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose_onnx.budget import MEMORY, Budget

Parameters: TypeAlias = dict[str, NDArray[np.float32]]
Bytes: TypeAlias = bytes | memoryview

SIZES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "f2": 2,
        "f4": 4,
        "f8": 8,
        "i1": 1,
        "i2": 2,
        "i4": 4,
        "i8": 8,
        "u1": 1,
        "u2": 2,
        "u4": 4,
        "u8": 8,
        "b1": 1,
    }
)
"""Bytes of one number, by NumPy's code of its type: all types that are read."""
ORDERS: Final = ("<", ">", "|")
"""Little endian, big endian, and one byte."""
MAX_DIMENSIONS: Final = 8
"""The weights of a convolution in three dimensions have 5."""
_FLOAT: Final = 4


class BrokenError(ValueError):
    """The file contradicts itself; the text ends the sentence "it is broken: "."""


class ForbiddenError(BrokenError):
    """A pickle names something that no array needs; the text is its name."""


class UnfitError(BrokenError):
    """The file is valid, but not a checkpoint; the text ends the sentence "checkpoint 'a' "."""


def floats(
    data: Bytes,
    code: str,
    order: str,
    shape: object,
    strides: object,
    offset: object,
    budget: Budget,
) -> NDArray[np.float32]:
    """Copy numbers out of bytes.

    Args:
        data: the bytes.
        code: type of the numbers, a key of `SIZES`.
        order: byte order, one of `ORDERS`.
        shape: tuple of sizes.
        strides: tuple of steps, in numbers.
        offset: index of the first number.
        budget: charged for the array that is returned.

    Returns:
        float32 array of `shape`, in C order.

    Raises:
        BrokenError: shape or strides are not valid sizes, or there are too few bytes for them.
        ModelFileError: the budget is spent.
    """
    if code not in SIZES or order not in ORDERS:
        raise BrokenError("an array of a type that is not a number")
    sizes, steps, (first,) = checked_sizes(shape), checked_sizes(strides), checked_sizes((offset,))
    if len(steps) != len(sizes) or math.prod(max(size, 1) for size in sizes) > MEMORY:
        raise BrokenError(f"an array of shape {sizes} with strides {steps}")
    count, width = math.prod(sizes), SIZES[code]
    last = first + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if count and (last + 1) * width > len(data):
        raise BrokenError(f"an array of shape {sizes} beyond the end of its {len(data):,} bytes")
    budget.take(count * _FLOAT)
    if not count:
        return np.zeros(sizes, np.float32)
    # A byte that should be a truth value may hold any number, so it is read as a number.
    dtype: np.dtype[Any] = np.dtype(order + code.replace("b", "u"))
    array: NDArray[Any] = np.ndarray(sizes, dtype, data, first * width, tuple(step * width for step in steps))
    with np.errstate(all="ignore"):  # a float64 value may be infinite in float32
        found: NDArray[np.float32] = array.astype(np.float32, order="C")
    return found


def checked_sizes(given: object) -> tuple[int, ...]:
    """Return sizes or strides unchanged, after checking them.

    Raises:
        BrokenError: they are not a short tuple of small integers.
    """
    if (
        not isinstance(given, tuple)
        or len(given) > MAX_DIMENSIONS
        or not all(type(size) is int and 0 <= size <= MEMORY for size in given)
    ):
        raise BrokenError("an array whose shape is not a tuple of sizes")
    return given


def steps_of(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the strides, in numbers, of an array in C order."""
    return tuple(math.prod(sizes[axis + 1 :]) for axis in range(len(sizes)))
