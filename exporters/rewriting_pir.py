"""Replaces operators of a PIR program that paddle2onnx lacks; see `rewriting.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pose_onnx.exporters.rewriting import demand_equal_shapes, demand_one_channel, repeated_sizes

Rewrite = Callable[[Any], Any]
"""Inserts operators before the given one and returns their result, or None to keep the given operator."""
PREFIX: Final = "pd_op."
PIR_FEEDS: Final = ("pd_op.data", "pd_op.feed")
_KEPT: Final = (*PIR_FEEDS, "builtin.parameter")


def rewrite_pir(program: Any) -> None:
    """Rewrite every operator of a program that is in the table.

    Raises:
        ExportError: an operator has unsupported options.
    """
    import paddle  # noqa: PLC0415  # seconds to import

    block = program.global_block()
    with paddle.static.program_guard(program):
        for op in list(block.ops):
            kind = op.name().removeprefix(PREFIX)
            if kind in PIR_REWRITES:
                paddle.pir.set_insertion_point(op)
                result = PIR_REWRITES[kind](op)
                if result is not None:
                    op.result(0).replace_all_uses_with(result)
                    block.remove_op(op)


def make_inputs(program: Any, replaced: Mapping[str, Any], heads: Sequence[Any]) -> None:
    """Make inputs of tensors, by name, and remove what the heads no longer need."""
    import paddle  # noqa: PLC0415  # as above

    block = program.global_block()
    with paddle.static.program_guard(program):
        for name, value in replaced.items():
            value.replace_all_uses_with(paddle.static.data(name, value.shape, "float32"))
    wanted = {head.hash() for head in heads}
    for op in reversed(list(block.ops)):
        results = [op.result(place) for place in range(op.num_results())]
        used = any(not value.use_empty() or value.hash() in wanted for value in results)
        if not used and op.name() not in _KEPT:
            block.remove_op(op)


def _constant_like(op: Any) -> Any:
    source = op.operand_source(0)
    demand_equal_shapes(op.result(0).shape, source.shape)
    return source * 0.0 + op.attrs()["value"]


def _expand_to_batch(op: Any) -> Any | None:
    """Repeat a map of one channel for each image: add it to a channel of another map, times 0.

    A tensor whose own number of rows is kept is repeated by adding it to zeros.
    """
    import paddle  # noqa: PLC0415  # as above

    counted = op.operand_source(1).get_defining_op()
    # The number of images is the first of the stacked sizes, sliced from a shape.
    for kind in ("pd_op.stack", "builtin.combine", "pd_op.slice"):
        if counted is None or counted.name() != kind:
            return None
        counted = counted.operand_source(0).get_defining_op()
    images, source = counted.operand_source(0), op.operand_source(0)
    if images.is_same(source):
        return source + paddle.zeros(repeated_sizes(source.shape, op.result(0).shape), "float32")
    demand_one_channel(op.result(0).shape, images.shape)
    return source + paddle.slice(images, [1], [0], [1]) * 0.0


def _one_part(op: Any) -> Any | None:
    """Pass a tensor on that is split into one part, of unknown size."""
    parts = op.result(0).all_used_ops()
    if [part.num_results() for part in parts] != [1]:
        return None
    source = op.operand_source(0)
    parts[0].result(0).replace_all_uses_with(source)
    parts[0].get_parent_block().remove_op(parts[0])
    return source


PIR_REWRITES: Final[Mapping[str, Rewrite]] = MappingProxyType(
    {
        "expand": _expand_to_batch,
        "full_batch_size_like": _constant_like,
        "split": _one_part,
    }
)
"""By Paddle's name of the operator in PIR programs."""
