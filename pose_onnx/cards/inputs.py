"""Kinds of input: a picture, or a person's poses over some time.

A kind is one file here and one line in `INPUTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from pose_onnx.cards.input import InputSpec
from pose_onnx.cards.schema import read_record, short
from pose_onnx.cards.window import WindowSpec
from pose_onnx.errors import CardError

Input: TypeAlias = InputSpec | WindowSpec

PICTURE: Final = "picture"
INPUTS: Final[Mapping[str, type[Input]]] = MappingProxyType({PICTURE: InputSpec, "window": WindowSpec})
"""Input kinds by name. A card may omit the kind if it is a picture."""
_NAMES: Final = MappingProxyType({spec: kind for kind, spec in INPUTS.items()})


def read_input(data: object) -> tuple[Input, dict[str, Any]]:
    """Read the `input` of a card.

    Returns:
        The input, and the fields that its kind does not define.

    Raises:
        CardError: There is no such kind, or a value is invalid.
    """
    if not isinstance(data, Mapping):
        raise CardError(f"the card's input is {short(data)}; it must be a JSON object")
    kind = data.get("kind", PICTURE)
    if not isinstance(kind, str) or kind not in INPUTS:
        raise CardError(
            f"the card's input has the unknown kind {short(kind)}; use one of {list(INPUTS)}, or "
            "update pose-onnx"
        )
    fields = {name: value for name, value in data.items() if name != "kind"}
    spec, unknown = read_record(cast("type[Any]", INPUTS[kind]), fields, "the card's input")
    return cast("Input", spec), unknown


def input_to_dict(spec: Input) -> dict[str, Any]:
    """Return the JSON object that `read_input` reads."""
    kind = _NAMES[type(spec)]
    return asdict(spec) if kind == PICTURE else {"kind": kind, **asdict(spec)}
