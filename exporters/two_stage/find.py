"""Find the two stages in a Paddle program from before PIR. Used in the worker only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pose_onnx.errors import ExportError
from pose_onnx.exporters.two_stage.facts import Level, Pool, TwoStage

PROPOSE: Final = ("generate_proposals_v2", "generate_proposals")
DISTRIBUTE: Final = "distribute_fpn_proposals"
FIRST_STAGE: Final = ("while", *PROPOSE, DISTRIBUTE)
"""Operators that are replaced, so that nothing has to convert them."""
_LOOP_END: Final = "tensor_array_to_tensor"
"""What collects the results of a loop over images."""
_REGION, _SIZE = 4, 2
"""Numbers in a row of such results: a box, and a picture's height and width."""


@dataclass(frozen=True, slots=True)
class Found:
    """The facts, and the names of the prepared program's outputs, in the order of `TwoStage`."""

    facts: TwoStage
    outputs: tuple[str, ...]


def find_two_stage(program: Any, image: str, heads: tuple[str, str] | None) -> Found | None:
    """Read a program's two stages.

    Args:
        program: Paddle's own object.
        image: Name of the input for the picture.
        heads: Names of the boxes and scores that its NMS takes.

    Returns:
        What was found, or `None` if the program has no regions that are distributed to levels.

    Raises:
        ExportError: It has, but in a way that is not known.
    """
    ops = [op for block in program.blocks for op in block.ops]
    spread = [op for op in ops if op.type == DISTRIBUTE]
    if not spread or heads is None:
        return None
    if len(spread) > 1:
        raise ExportError(
            f"the program pools regions {len(spread)} times (Cascade R-CNN); only detectors that do it once"
            " (Faster R-CNN) can be exported"
        )
    return _Reader(program, ops, spread[0]).read(image, heads)


class _Reader:
    """Reads one program."""

    def __init__(self, program: Any, ops: list[Any], spread: Any) -> None:
        self._block = program.global_block()
        self._ops, self._spread = ops, spread
        self._makers = {name: op for op in reversed(ops) for name in op.output_arg_names}

    def read(self, image: str, heads: tuple[str, str]) -> Found:
        first = [op for op in self._ops if op.type in PROPOSE]
        pools = sorted(
            (op for op in self._ops if op.type == "roi_align"),
            key=lambda op: self._spread.output("MultiFpnRois").index(op.input("ROIs")[0]),
        )
        pooled, regions, sizes = self._inputs(heads)
        lowest, usual = self._spread.attr("min_level"), self._spread.attr("refer_level")
        _demand(self._spread, pixel_offset=False)
        facts = TwoStage(
            image=image,
            pooled=pooled,
            regions=regions,
            sizes=sizes,
            levels=tuple(self._level(op) for op in first),
            proposals=self._most(first),
            pools=tuple(_pool(op) for op in pools),
            usual_side=self._spread.attr("refer_scale"),
            usual_pool=usual - lowest,
        )
        maps = [
            self._whole(op.input(slot)[0]) for op in first for slot in ("Scores", "BboxDeltas", "Anchors")
        ]
        return Found(facts, (*maps, *(op.input("X")[0] for op in pools), *heads))

    def _level(self, op: Any) -> Level:
        _demand(op, pixel_offset=False, eta=1.0)
        variances = self._makers[op.input("Variances")[0]]
        _demand(variances, value=1.0)
        return Level(
            op.attr("pre_nms_topN"),
            op.attr("post_nms_topN"),
            round(op.attr("nms_thresh"), 6),
            op.attr("min_size"),
        )

    def _most(self, first: list[Any]) -> int:
        """Return how many of the levels' regions are kept: the best ones, if there is more than one level."""
        counts = {op.attr("k") for op in self._ops if op.type == "top_k_v2"}
        if len(counts) > 1:
            raise ExportError(
                f"the program keeps the best {sorted(counts)} regions; expected one such number"
            )
        return counts.pop() if counts else sum(op.attr("post_nms_topN") for op in first)

    def _whole(self, name: str) -> str:
        """Follow the cuts of one image from its batch."""
        while name in self._makers and self._makers[name].type == "slice":
            name = self._makers[name].input("Input")[0]
        return name

    def _inputs(self, heads: tuple[str, str]) -> tuple[str, str, str]:
        """Return the names of what the second stage takes from the first."""
        (order,) = self._spread.output("RestoreIndex")
        found = [*self._sources(heads)]
        pooled = [name for name in found if order in self._makers[name].input_arg_names]
        arrays = {self._block.var(name).shape[-1]: name for name in found if name not in pooled}
        if len(pooled) != 1 or len(found) != len(pooled) + len(arrays) or {*arrays} != {_REGION, _SIZE}:
            raise ExportError(
                f"the program's second stage takes {sorted(found)} from the first; expected pooled regions,"
                " regions and the picture's size"
            )
        return pooled[0], arrays[_REGION], arrays[_SIZE]

    def _sources(self, names: tuple[str, ...]) -> Iterator[str]:
        """Yield the tensors at which the second stage begins."""
        (order,) = self._spread.output("RestoreIndex")
        seen, left = set[str](), [*names]
        while left:
            name = left.pop()
            op = self._makers.get(name)
            if name in seen or op is None:
                continue
            seen.add(name)
            if op.type == _LOOP_END or order in op.input_arg_names:
                yield name
            else:
                left += op.input_arg_names


def _pool(op: Any) -> Pool:
    return Pool(
        op.attr("spatial_scale"),
        (op.attr("pooled_height"), op.attr("pooled_width")),
        max(op.attr("sampling_ratio"), 0),
        op.attr("aligned"),
    )


def _demand(op: Any, **options: float) -> None:
    """Check that an operator has options with these values."""
    given = {name: op.attr(name) if op.has_attr(name) else None for name in options}
    if given != options:
        raise ExportError(f"the program's {op.type} has {given}; only {options} can be exported")
