"""Replaces operators of a program before PIR that paddle2onnx lacks by others that compute the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pose_onnx.errors import ExportError

Rewrite = Callable[[Any, int], None]
"""Replaces the operator with the given index in a block."""


def rewrite(block: Any) -> None:
    """Rewrite every operator of a block that is in the table.

    Raises:
        ExportError: an operator has unsupported options.
    """
    for place in reversed(range(len(block.ops))):
        if block.ops[place].type in REWRITES:
            REWRITES[block.ops[place].type](block, place)


def keep_between(block: Any, feeds: Collection[str], heads: Collection[str]) -> None:
    """Remove the operators of a block that tensors `heads` do not need if tensors `feeds` are given."""
    needed = {*heads}.difference(feeds)
    for place in reversed(range(len(block.ops))):
        op = block.ops[place]
        if needed.isdisjoint(op.output_arg_names):
            block._remove_op(place)  # noqa: SLF001  # Paddle has no public API for this
        else:
            needed.update({*op.input_arg_names}.difference(feeds))


def demand_equal_shapes(filled: Sequence[int], source: Sequence[int]) -> None:
    """Check that a tensor that is filled with a number has the shape of the tensor that gives its batch.

    Raises:
        ExportError: the shapes differ.
    """
    if list(filled) != list(source):
        raise ExportError(
            f"the program fills the shape {list(filled)} with the batch size of {list(source)}, but only "
            "equal shapes can be exported"
        )


def demand_one_channel(made: Sequence[int], images: Sequence[int]) -> None:
    """Check that a tensor of shape `made` is a map of one channel, repeated for each of some images.

    Raises:
        ExportError: it has more channels, or another height and width than the images.
    """
    if list(images[-2:]) != list(made[-2:]) or list(made[1:-2]) != [1]:
        raise ExportError(
            f"the program repeats a tensor to the shape {list(made)}, but only maps of one channel can be "
            "repeated for each image"
        )


def repeated_sizes(source: Sequence[int], made: Sequence[int]) -> list[int]:
    """Return the shape of zeros that make one shape of the other when they are added; rows are kept.

    Raises:
        ExportError: an axis is repeated that has more than one place, or an unknown number of times.
    """
    pairs = list(zip(source[1:], made[1:], strict=True)) if len(source) == len(made) else [(0, 1)]
    if any(have not in (1, want) or (have != want and want < 1) for have, want in pairs):
        raise ExportError(
            f"the program repeats a tensor of shape {list(source)} to {list(made)}, but only axes of one"
            " place can be repeated, a fixed number of times"
        )
    return [1, *(1 if have == want else want for have, want in pairs)]


def _constant_like(block: Any, place: int) -> None:
    """Fill the shape of another tensor with a number: that tensor times 0, plus the number."""
    op = block.ops[place]
    (source,), (output,) = op.input("Input"), op.output("Out")
    demand_equal_shapes(block.var(output).shape, block.var(source).shape)
    options = {"scale": 0.0, "bias": op.attr("value"), "bias_after_scale": True}
    _replace(block, place, ("scale", {"X": source}, {"Out": output}, options))


def _expand_to_batch(block: Any, place: int) -> None:
    """Repeat a map of one channel for each image: add it to a channel of another map, times 0.

    A tensor whose own number of rows is kept is repeated by adding it to zeros.
    """
    op = block.ops[place]
    (source,), (output,) = op.input("X"), op.output("Out")
    sizes = op.input("expand_shapes_tensor")
    if not sizes:
        return
    makers = {name: each for each in block.ops[:place] for name in each.output_arg_names}
    counted = makers[makers[sizes[0]].input_arg_names[0]]
    images = counted.input_arg_names[0] if counted.type == "shape" else ""
    made = list(block.var(output).shape)
    if images == source:
        shape = repeated_sizes(block.var(source).shape, made)
        zeros = f"{output}.zeros"
        block.create_var(name=zeros, shape=shape, dtype=block.var(output).dtype)
        options = {"shape": shape, "value": 0.0, "dtype": block.var(output).dtype}
        _replace(
            block,
            place,
            ("fill_constant", {}, {"Out": zeros}, options),
            ("elementwise_add", {"X": source, "Y": zeros}, {"Out": output}, {"axis": -1}),
        )
        return
    demand_one_channel(made, block.var(images).shape if images else ())
    names = [f"{output}.{part}" for part in ("channel", "zeros")]
    for name in names:
        block.create_var(name=name, shape=made, dtype=block.var(output).dtype)
    channel, zeros = names
    options = {"axes": [1], "starts": [0], "ends": [1], "infer_flags": [1], "decrease_axis": []}
    _replace(
        block,
        place,
        ("slice", {"Input": images}, {"Out": channel}, options),
        (
            "scale",
            {"X": channel},
            {"Out": zeros},
            {"scale": 0.0, "bias": 0.0, "bias_after_scale": True},
        ),
        ("elementwise_add", {"X": zeros, "Y": source}, {"Out": output}, {"axis": -1}),
    )


def _one_part(block: Any, place: int) -> None:
    """Pass a tensor on that is split into one part, of unknown size."""
    op = block.ops[place]
    (source,), parts = op.input("X"), op.output("Out")
    if len(parts) == 1:
        same = {"scale": 1.0, "bias": 0.0, "bias_after_scale": True}
        _replace(block, place, ("scale", {"X": source}, {"Out": parts[0]}, same))


def _replace(block: Any, place: int, *operators: tuple[str, Any, Any, Mapping[str, Any]]) -> None:
    block._remove_op(place)  # noqa: SLF001  # Paddle has no public API for this, here and below
    for offset, (kind, inputs, outputs, attributes) in enumerate(operators):
        block._insert_op(  # noqa: SLF001
            place + offset, type=kind, inputs=inputs, outputs=outputs, attrs=dict(attributes)
        )


REWRITES: Final[Mapping[str, Rewrite]] = MappingProxyType(
    {
        "fill_constant_batch_size_like": _constant_like,
        "expand_v2": _expand_to_batch,
        "split": _one_part,
    }
)
"""By Paddle's name of the operator."""
