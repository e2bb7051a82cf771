"""JSON to frozen records and back: every value is checked against the type of its field.

Unknown fields are kept separately, not refused: a newer version may have written them, and they must still
be there when the file is written again.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from pose_onnx.errors import CardError

Record = TypeVar("Record")


def read_record(kind: type[Record], data: object, where: str) -> tuple[Record, dict[str, Any]]:
    """Build a record from a JSON object.

    Args:
        kind: A dataclass whose `__post_init__` calls `check_types`.
        data: The parsed JSON.
        where: What `data` is, for error messages.

    Returns:
        The record, and the fields that it does not define.

    Raises:
        CardError: `data` is not an object, a field is missing, or a value does not have its field's type.
    """
    if not isinstance(data, Mapping):
        raise CardError(f"{where} is {short(data)}; it must be a JSON object")
    known = {item.name: item for item in fields(kind) if item.init}  # type: ignore[arg-type]  # a dataclass
    missing = [
        name
        for name, item in known.items()
        if name not in data and item.default is MISSING and item.default_factory is MISSING
    ]
    if missing:
        raise CardError(f"{where} lacks {missing}; add them")
    values = {name: as_tuples(value) for name, value in data.items() if name in known}
    return kind(**values), {name: value for name, value in data.items() if name not in known}


def check_types(record: object, where: str) -> None:
    """Refuse a record if a value does not have its field's type, or a number is not finite.

    Raises:
        CardError: Names the first such field.
    """
    hints = _field_types(cast("Hashable", type(record)))
    for item in fields(record):  # type: ignore[arg-type]  # a dataclass
        value = getattr(record, item.name)
        if problem := _type_problem(value, hints[item.name]):
            raise CardError(f"{where}: {item.name} is {short(value)}; it must be {problem}")


@cache
def _field_types(kind: Hashable) -> Mapping[str, Any]:
    return MappingProxyType(get_type_hints(cast("type", kind)))


def as_tuples(value: Any) -> Any:
    """Convert JSON lists to tuples, which records use."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def _type_problem(value: object, wanted: Any) -> str:
    """Say in a few words what a value must be; empty if the value is valid."""
    origin = get_origin(wanted)
    if origin is Literal:
        choices = get_args(wanted)
        return "" if isinstance(value, str) and value in choices else f"one of {list(choices)}"
    if origin is tuple:
        return _tuple_problem(value, get_args(wanted))
    if wanted not in _SCALARS:  # a record checks itself
        return ""
    test, words = _SCALARS[wanted]
    return "" if test(value) else words


def _tuple_problem(value: object, items: tuple[Any, ...]) -> str:
    any_length = items[-1] is Ellipsis
    each = _PLURALS.get(items[0], "lists")
    words = f"a list of {each}" if any_length else f"a list of {len(items)} {each}"
    if not isinstance(value, tuple) or (not any_length and len(value) != len(items)):
        return words
    kinds = items[:1] * len(value) if any_length else items
    return words if any(map(_type_problem, value, kinds)) else ""


_PLURALS: Final = MappingProxyType({str: "strings", int: "whole numbers", float: "finite numbers"})


def _is_number(value: object) -> bool:
    # A comparison, because math.isfinite fails on integers beyond the range of float.
    return type(value) in (int, float) and abs(cast("float", value)) <= sys.float_info.max


_SCALARS: Final[Mapping[Any, tuple[Callable[[object], bool], str]]] = MappingProxyType(
    {
        str: (lambda value: isinstance(value, str), "a string"),
        int: (lambda value: type(value) is int, "a whole number"),
        float: (_is_number, "a finite number"),
        bool: (lambda value: type(value) is bool, "true or false"),
    }
)


def short(value: object) -> str:
    """Return a value as text of limited length, for messages."""
    return reprlib.repr(value)
