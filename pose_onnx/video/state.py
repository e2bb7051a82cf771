"""The state of a video between two frames as JSON, so that a killed run can continue.

Numbers are restored bit for bit: JSON holds the shortest text that reads back as the same float.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import numpy as np

from pose_onnx.core.arrays import F64

Record = TypeVar("Record")


def to_json(value: Any) -> Any:
    """Return a record of numbers, float64 arrays and further records, ready for JSON."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    return value.tolist() if isinstance(value, np.ndarray) else value


def from_json(kind: type[Record], value: Any) -> Record:
    """Return the record of the given type that was passed to `to_json`.

    Raises:
        KeyError, TypeError, ValueError: The value has the wrong form.
    """
    hints = get_type_hints(kind)
    return kind(**{name: _field(hint, value[name]) for name, hint in hints.items()})


def _field(hint: Any, value: Any) -> Any:
    if hint == F64:
        return np.array(value, np.float64)
    return from_json(hint, value) if isinstance(hint, type) and is_dataclass(hint) else hint(value)
