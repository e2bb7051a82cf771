"""The operators of a Paddle program, of both kinds, in one form. Used in the worker only."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

PIR_PREFIX: Final = "pd_op."
Tensor = Hashable
"""Identifies a tensor: its name in a program before PIR, a number otherwise."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Attributes:
        kind: Its name in PIR.
        inputs: Its inputs; lists of tensors are spelt out.
        outputs: Its outputs likewise.
        options: Its attributes, with PIR's names.
    """

    kind: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Old:
    """What an operator of a program before PIR is called in PIR; slots in PIR's order, and attributes."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)


_PROPOSE: Final = _Old(
    "generate_proposals",
    ("Scores", "BboxDeltas", "ImShape", "Anchors", "Variances"),
    ("RpnRois", "RpnRoiProbs"),
    MappingProxyType({"pre_nms_topN": "pre_nms_top_n", "post_nms_topN": "post_nms_top_n"}),
)
_OLD: Final[Mapping[str, _Old]] = MappingProxyType(
    {
        "generate_proposals_v2": _PROPOSE,
        "generate_proposals": _PROPOSE,
        "distribute_fpn_proposals": _Old(
            "distribute_fpn_proposals", ("FpnRois",), ("MultiFpnRois", "RestoreIndex")
        ),
        "roi_align": _Old("roi_align", ("X", "ROIs"), ("Out",)),
        "top_k_v2": _Old("topk", ("X", "K"), ("Out", "Indices")),
        "gather": _Old("gather", ("X", "Index"), ("Out",)),
        "slice": _Old("slice", ("Input",), ("Out",)),
        "fill_any_like": _Old("full_like", ("X",), ("Out",)),
        # What control flow gives.
        "tensor_array_to_tensor": _Old("array_to_tensor", ("X",), ("Out",)),
        "select_input": _Old("if", ("X", "Mask"), ("Out",)),
    }
)
"""Operators that are read here, by Paddle's name before PIR."""


class OldTensors:
    """The tensors of a program before PIR."""

    def __init__(self, program: Any) -> None:
        self._block = program.global_block()
        self.operators: list[Operator] = [_from_old(op) for block in program.blocks for op in block.ops]

    def find(self, value: Any) -> Tensor:
        """Return what stands for an object of Paddle's."""
        return str(value.name)

    def name(self, tensor: Tensor) -> str:
        """Return the name that a tensor has as an input."""
        return str(tensor)

    def shape(self, tensor: Tensor) -> Sequence[int]:
        """Return the shape of a tensor; -1 is a free size."""
        return tuple(self._block.var(str(tensor)).shape)

    def value(self, tensor: Tensor) -> Any:
        """Return Paddle's own object."""
        return self._block.var(str(tensor))


def _from_old(op: Any) -> Operator:
    known = _OLD.get(op.type, _Old(op.type, tuple(op.input_names), tuple(op.output_names)))
    names = {name: known.options.get(name, name) for name in op.attr_names}
    return Operator(
        known.kind,
        tuple(name for slot in known.inputs if slot in op.input_names for name in op.input(slot)),
        tuple(name for slot in known.outputs if slot in op.output_names for name in op.output(slot)),
        {new: op.attr(name) for name, new in names.items()},
    )


class PirTensors:
    """The tensors of a PIR program."""

    def __init__(self, program: Any) -> None:
        self._numbers: dict[int, int] = {}
        self._values: dict[Tensor, Any] = {}
        self.operators: list[Operator] = [self._read(op) for op in _every(program.global_block())]

    def find(self, value: Any) -> Tensor:
        """See `OldTensors`."""
        number = self._numbers.setdefault(value.hash(), len(self._numbers))
        self._values[number] = value
        return number

    def name(self, tensor: Tensor) -> str:
        """See `OldTensors`."""
        return f"tensor_{tensor}"

    def shape(self, tensor: Tensor) -> Sequence[int]:
        """See `OldTensors`."""
        return tuple(self._values[tensor].shape)

    def value(self, tensor: Tensor) -> Any:
        """See `OldTensors`."""
        return self._values[tensor]

    def _read(self, op: Any) -> Operator:
        return Operator(
            op.name().removeprefix(PIR_PREFIX),
            tuple(self.find(op.operand_source(place)) for place in range(op.num_operands())),
            tuple(self.find(op.result(place)) for place in range(op.num_results())),
            op.attrs(),
        )


Tensors = OldTensors | PirTensors


def _every(block: Any) -> Iterator[Any]:
    """Yield the operators of a block and of those inside it."""
    for op in block.ops:
        yield op
        for inner in op.blocks():
            yield from _every(inner)


def follow(
    start: Sequence[Tensor], makers: Mapping[Tensor, Operator], stops: Callable[[Tensor], bool]
) -> list[Tensor]:
    """Walk from tensors to what they are computed from, and return those at which the walk stops."""
    seen, found, left = set[Tensor](), list[Tensor](), [*start]
    while left:
        tensor = left.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if stops(tensor):
            found.append(tensor)
        elif tensor in makers:
            left += makers[tensor].inputs
    return found
