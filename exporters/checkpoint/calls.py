"""The functions and classes that a pickle may name, and what is done instead of calling them.

They return the descriptions of `values.py`. No function here allocates more memory than
its arguments take, except when text becomes bytes; that memory is charged to the budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from pose_onnx.budget import Budget
from pose_onnx.exporters.checkpoint.numbers import SIZES, BrokenError, ForbiddenError
from pose_onnx.exporters.checkpoint.values import (
    Array,
    Call,
    Dtype,
    LongText,
    Storage,
    Table,
    Tensor,
    Type,
    bytes_of,
    dtype_of,
    shown,
)

Arguments: TypeAlias = tuple[object, ...]


def _dtype(arguments: Arguments, _: Budget) -> Dtype:
    """`numpy.dtype("f4", align, copy)`."""
    code = arguments[0] if arguments else None
    if not isinstance(code, str) or code not in SIZES:
        kind = shown(code) if isinstance(code, str) else type(code).__name__
        raise BrokenError(f"an array of type {kind!r}, which is not a number")
    return Dtype(code)


def _reconstruct(_: Arguments, __: Budget) -> Array:
    """`_reconstruct(ndarray, (0,), b"b")`: an array whose state comes later."""
    return Array()


def _scalar(arguments: Arguments, _: Budget) -> Array:
    """`scalar(dtype, data)`: one number."""
    dtype, data = _few(arguments, 2)
    return Array(dtype_of(dtype), (), is_fortran=False, data=bytes_of(data))


def _frombuffer(arguments: Arguments, _: Budget) -> Array:
    """`_frombuffer(data, dtype, shape, order)`, as protocol 5 writes arrays."""
    data, dtype, shape, order = _few(arguments, 4)
    if order not in ("C", "F"):
        raise BrokenError("an array in an order that is neither C's nor Fortran's")
    return Array(dtype_of(dtype), shape, is_fortran=order == "F", data=bytes_of(data))


def _encode(arguments: Arguments, budget: Budget) -> object:
    """`_codecs.encode(text, "latin1")`: bytes, as protocol 2 writes them."""
    text, encoding = _few(arguments, 2)
    if encoding != "latin1":
        raise BrokenError("text in an encoding other than latin1")
    return text.latin1(budget) if isinstance(text, LongText) else bytes_of(text)


def _no_bytes(arguments: Arguments, _: Budget) -> bytes:
    """`bytes()`: how protocol 2 writes empty bytes."""
    _few(arguments, 0)
    return b""


def _tuple(arguments: Arguments, _: Budget) -> tuple[object, ...]:
    """`tuple((name, array))`: how `paddle.save` writes a tensor."""
    (items,) = _few(arguments, 1)
    if not isinstance(items, tuple):
        raise BrokenError("a tuple made from something other than a tuple")
    return items


def _lookup(arguments: Arguments, _: Budget) -> object:
    """`eval("data", {"data": array})`: how `paddle.save` writes a bare tensor. Nothing is evaluated."""
    name, scope = arguments if len(arguments) == len(("name", "scope")) else (None, None)
    if name != "data" or not isinstance(scope, Table):
        shown_name = f" {shown(name)!r}" if isinstance(name, str) else ""
        raise ForbiddenError(f"builtins.eval{shown_name}")
    for key, value in scope.pairs:
        if isinstance(key, str) and key == name:
            return value
    raise BrokenError("a tensor without data")


def _table(arguments: Arguments, _: Budget) -> Table:
    """`OrderedDict()`, or `OrderedDict(pairs)` with a list of pairs, as Python 2 wrote it."""
    table = Table()
    if arguments:
        (pairs,) = _few(arguments, 1)
        if not isinstance(pairs, list) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):  # noqa: PLR2004 (a pair)
            raise BrokenError("a table that is not a list of pairs")
        table.pairs.extend((key, value) for key, value in pairs)
    return table


def _tensor(arguments: Arguments, _: Budget) -> Tensor:
    """`_rebuild_tensor_v2(storage, offset, shape, strides, ...)`, and before 0.4 `_rebuild_tensor`."""
    storage, offset, shape, strides = _few(arguments[:4], 4)
    if not isinstance(storage, Storage):
        raise BrokenError("a tensor without a storage")
    return Tensor(storage, offset, shape, strides)


def _parameter(arguments: Arguments, _: Budget) -> object:
    """`_rebuild_parameter(tensor, requires_grad, hooks)`."""
    return _few(arguments, 3)[0]


def _few(arguments: Arguments, count: int) -> Arguments:
    if len(arguments) != count:
        raise BrokenError(f"a call with {len(arguments)} arguments instead of {count}")
    return arguments


STORAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DoubleStorage": "f8",
        "FloatStorage": "f4",
        "HalfStorage": "f2",
        "LongStorage": "i8",
        "IntStorage": "i4",
        "ShortStorage": "i2",
        "CharStorage": "i1",
        "ByteStorage": "u1",
        "BoolStorage": "b1",
    }
)
"""Type of the numbers of each storage of PyTorch."""

GLOBALS: Final[Mapping[tuple[str, str], Call | Type]] = MappingProxyType(
    {
        ("numpy", "ndarray"): Type("ndarray"),
        ("numpy", "dtype"): Call(_dtype),
        # NumPy 2 moved its modules.
        ("numpy.core.multiarray", "_reconstruct"): Call(_reconstruct),
        ("numpy._core.multiarray", "_reconstruct"): Call(_reconstruct),
        ("numpy.core.multiarray", "scalar"): Call(_scalar),
        ("numpy._core.multiarray", "scalar"): Call(_scalar),
        ("numpy.core.numeric", "_frombuffer"): Call(_frombuffer),
        ("numpy._core.numeric", "_frombuffer"): Call(_frombuffer),
        ("_codecs", "encode"): Call(_encode),
        # Python 2's name for the module, which protocols 0 to 2 keep.
        ("builtins", "bytes"): Call(_no_bytes),
        ("__builtin__", "bytes"): Call(_no_bytes),
        ("builtins", "tuple"): Call(_tuple),
        ("__builtin__", "tuple"): Call(_tuple),
        ("builtins", "eval"): Call(_lookup),
        ("__builtin__", "eval"): Call(_lookup),
        ("collections", "OrderedDict"): Call(_table),
        ("torch._utils", "_rebuild_tensor"): Call(_tensor),
        ("torch._utils", "_rebuild_tensor_v2"): Call(_tensor),
        ("torch._utils", "_rebuild_parameter"): Call(_parameter),
        **{("torch", name): Type(code) for name, code in STORAGES.items()},
    }
)
"""By module and name."""
