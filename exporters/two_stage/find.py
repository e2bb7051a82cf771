"""Find the two stages in a Paddle program. Used in the worker only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pose_onnx.errors import ExportError
from pose_onnx.exporters.two_stage.facts import Level, Pool, TwoStage
from pose_onnx.exporters.two_stage.operators import Operator, Tensor, Tensors, follow

PROPOSE: Final = "generate_proposals"
DISTRIBUTE: Final = "distribute_fpn_proposals"
FIRST_STAGE: Final = ("while", "generate_proposals_v2", PROPOSE, DISTRIBUTE)
"""Operators that are replaced, so that nothing has to convert them."""
SIZE: Final = "im_shape"
"""The input for the picture's height and width."""
_CONTROL: Final = ("array_to_tensor", "if", "while")
"""What gives the results of a loop over images."""
_EXPAND: Final = ("expand", "expand_v2")
_TABLE: Final = 2
"""Number of axes of such results: rows and columns."""
_REGION, _SIZE = 4, 2
"""Numbers in a row of them: a box, and a picture's height and width."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a program.

    Attributes:
        facts: The numbers, and names of inputs.
        inputs: The tensors that become these inputs, by name; the picture and its size are ones already.
        outputs: The outputs, in the order of `TwoStage`.
    """

    facts: TwoStage
    inputs: dict[str, Tensor]
    outputs: tuple[Tensor, ...]


def find_two_stage(tensors: Tensors, image: str, heads: Sequence[Tensor]) -> Found | None:
    """Read a program's two stages.

    Args:
        tensors: The program.
        image: Name of the input for the picture.
        heads: The boxes and scores that its NMS takes, or that it returns.

    Returns:
        What was found, or `None` if the program has no regions that are distributed to levels.

    Raises:
        ExportError: It has, but in a way that is not known.
    """
    spread = [op for op in tensors.operators if op.kind == DISTRIBUTE]
    return _Reader(tensors, spread).read(image, heads) if spread else None


class _Reader:
    """Reads one program."""

    def __init__(self, tensors: Tensors, spread: list[Operator]) -> None:
        self._tensors, self._ops, self._spread = tensors, tensors.operators, spread
        self._makers = {name: op for op in reversed(self._ops) for name in op.outputs}
        self._sizes = {
            tensor for op in self._ops for tensor in (*op.inputs, *op.outputs) if self._is_size(tensor)
        }
        orders = [op.outputs[-1] for op in spread]
        self._pooled = [
            op.outputs[0]
            for order in orders
            for op in self._ops
            if op.kind == "gather" and order in op.inputs
        ]

    def read(self, image: str, heads: Sequence[Tensor]) -> Found:
        first = [op for op in self._ops if op.kind == PROPOSE]
        looks = [self._pools(spread) for spread in self._spread]
        if len({tuple(look) for look in looks}) > 1 or len(self._pooled) != len(looks):
            raise ExportError("the program pools its regions in different ways; only one can be exported")
        moved = [spread.inputs[0] for spread in self._spread[1:]]
        regions, sizes, needs_size = self._inputs([*moved, *heads])
        spread = self._spread[0]
        _demand(spread, pixel_offset=False)
        named = [tuple(map(self._tensors.name, group)) for group in (self._pooled, regions, sizes)]
        facts = TwoStage(
            image=image,
            pooled=named[0],
            regions=named[1],
            size=SIZE if needs_size else "",
            sizes=named[2],
            levels=tuple(map(self._level, first)),
            proposals=self._most(first),
            pools=tuple(pool for pool, _ in looks[0]),
            usual_side=spread.options["refer_scale"],
            usual_pool=spread.options["refer_level"] - spread.options["min_level"],
        )
        maps = [self._whole(op.inputs[place]) for op in first for place in (0, 1, 3)]
        features = [tensor for _, tensor in looks[0]]
        inputs = {self._tensors.name(tensor): tensor for tensor in (*self._pooled, *regions, *sizes)}
        return Found(facts, inputs, (*maps, *features, *moved, *heads))

    def _level(self, op: Operator) -> Level:
        """Read `generate_proposals`: of scores, deltas, the picture's size, anchors, variances."""
        _demand(op, pixel_offset=False, eta=1.0)
        if (variance := self._number(self._makers[op.inputs[4]], "value")) != 1:
            raise ExportError(f"the program's {op.kind} has variances of {variance}; expected 1")
        return Level(
            op.options["pre_nms_top_n"],
            op.options["post_nms_top_n"],
            round(op.options["nms_thresh"], 6),
            op.options["min_size"],
        )

    def _pools(self, spread: Operator) -> list[tuple[Pool, Tensor]]:
        """Return how the regions of each level are pooled, and from which features."""
        parts = [
            op.outputs for op in self._ops if op.kind == "builtin.split" and op.inputs[0] in spread.outputs
        ]
        levels = next(iter(parts), spread.outputs[:-1])
        found = [op for op in self._ops if op.kind == "roi_align" and op.inputs[1] in levels]
        found.sort(key=lambda op: levels.index(op.inputs[1]))
        return [(_pool(op), op.inputs[0]) for op in found]

    def _most(self, first: list[Operator]) -> int:
        """Return how many of the levels' regions are kept: the best ones, if there is more than one level."""
        counts = {int(self._number(op, "k")) for op in self._ops if op.kind == "topk"}
        if len(counts) > 1:
            raise ExportError(
                f"the program keeps the best {sorted(counts)} regions; expected one such number"
            )
        return counts.pop() if counts else sum(op.options["post_nms_top_n"] for op in first)

    def _number(self, op: Operator, name: str) -> float:
        """Return an option that is an attribute before PIR, and in PIR a constant that the operator takes."""
        if name in op.options:
            return float(op.options[name])
        makers = [self._makers[tensor] for tensor in op.inputs[1:] if tensor in self._makers]
        while not any(maker.kind == "full" for maker in makers):
            # The smaller of a constant and the number that there is.
            makers = [self._makers[tensor] for maker in makers for tensor in maker.inputs]
        return next(float(maker.options["value"]) for maker in makers if maker.kind == "full")

    def _whole(self, tensor: Tensor) -> Tensor:
        """Follow the cuts of one image from its batch."""
        while tensor in self._makers and self._makers[tensor].kind == "slice":
            tensor = self._makers[tensor].inputs[0]
        return tensor

    def _inputs(self, wanted: list[Tensor]) -> tuple[list[Tensor], list[Tensor], bool]:
        """Return what the second stage takes from the first: regions and sizes, and whether it takes SIZE."""
        ends = {*self._pooled, *self._sizes, self._spread[0].inputs[0]}
        found = follow(wanted, self._makers, lambda tensor: tensor in ends or self._is_repeated(tensor))
        found = [tensor for tensor in found if tensor not in self._pooled]
        others = [tensor for tensor in found if tensor not in self._sizes]
        rows = {tensor: self._tensors.shape(tensor)[-1] for tensor in others}
        if {*rows.values()} - {_REGION, _SIZE}:
            raise ExportError(
                f"the program's second stage takes tensors with {sorted(rows.values())} columns from the"
                " first; expected regions and the picture's size"
            )
        regions, sizes = (
            [tensor for tensor in others if rows[tensor] == columns] for columns in (_REGION, _SIZE)
        )
        return regions, sizes, len(found) > len(others)

    def _is_size(self, tensor: Tensor) -> bool:
        maker = self._makers.get(tensor)
        return tensor == SIZE or (maker is not None and maker.options.get("name") == SIZE)

    def _is_repeated(self, tensor: Tensor) -> bool:
        """Say whether a tensor has a row for each region and comes from control flow, or repeats a row."""
        maker = self._makers.get(tensor)
        repeats = maker is not None and maker.kind in (*_CONTROL, *_EXPAND)
        return repeats and len(self._tensors.shape(tensor)) == _TABLE


def _pool(op: Operator) -> Pool:
    return Pool(
        op.options["spatial_scale"],
        (op.options["pooled_height"], op.options["pooled_width"]),
        max(op.options["sampling_ratio"], 0),
        op.options["aligned"],
    )


def _demand(op: Operator, **options: Any) -> None:
    """Check that an operator has options with these values."""
    given = {name: op.options.get(name) for name in options}
    if given != options:
        raise ExportError(f"the program's {op.kind} has {given}; only {options} can be exported")
