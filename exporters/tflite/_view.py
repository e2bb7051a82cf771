"""The layout of ONNX tensors in the TFLite file.

A tensor in the file is a flat sequence of numbers. A `View` lists the ONNX axes over which this sequence
runs, slowest first. ONNX's Transpose and Reshape then only change the view and cost nothing; operators are
only written if a reader needs the numbers in another order. A convolution leaves its result as N, H, W, C,
and its readers decide whether it must be transposed.

Axes of length one are not part of that order: moving them moves no numbers. The batch axis counts as longer
than one, although shapes are stated at batch 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NHWC: Final = (0, 2, 3, 1)
"""The ONNX axes (N, C, H, W) in the order of TFLite's spatial operators."""
IMAGE_RANK: Final = 4


@dataclass(frozen=True, slots=True)
class Extent:
    """A shape with at most one free axis.

    Attributes:
        sizes: Length of every axis at batch 1.
        free: The axis whose length is `sizes[free]` times the batch, or None.
    """

    sizes: tuple[int, ...]
    free: int | None = None

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.sizes)

    @property
    def signature(self) -> tuple[int, ...]:
        """The sizes, with -1 for the free axis, as TFLite writes them."""
        return tuple(-1 if axis == self.free else size for axis, size in enumerate(self.sizes))

    @property
    def count(self) -> tuple[int, bool]:
        """The number of elements at batch 1, and whether it grows with the batch."""
        return prod(self.sizes), self.free is not None

    @property
    def long_axes(self) -> tuple[int, ...]:
        """The axes whose order matters: those longer than one, or free."""
        return tuple(axis for axis, size in enumerate(self.sizes) if size != 1 or axis == self.free)

    def permuted(self, layout: Sequence[int]) -> Extent:
        """Return the extent whose axis i is axis `layout[i]` of this one."""
        free = None if self.free is None else tuple(layout).index(self.free)
        return Extent(tuple(self.sizes[axis] for axis in layout), free)

    def merged(self, runs: Sequence[Sequence[int]]) -> Extent:
        """Return the extent with one axis for each run of axes."""
        free = next((i for i, run in enumerate(runs) if self.free in run), None)
        return Extent(tuple(prod(self.sizes[axis] for axis in run) for run in runs), free)

    def padded(self, rank: int) -> Extent:
        """Return the extent with axes of length one added in front, as broadcasting does."""
        extra = rank - self.rank
        return Extent((1,) * extra + self.sizes, None if self.free is None else self.free + extra)


@dataclass(frozen=True, slots=True)
class View:
    """The layout of an ONNX tensor in the file.

    Attributes:
        name: Name of the ONNX tensor.
        tensor: Index of the tensor in the file. Its own shape may group the same numbers differently.
        extent: The ONNX shape.
        order: The long axes of `extent`, slowest in the file first.
    """

    name: str
    tensor: int
    extent: Extent
    order: tuple[int, ...]

    @property
    def layout(self) -> tuple[int, ...]:
        """All axes, in an order that agrees with `order`: N, H, W, C or ONNX's order if possible."""
        identity = tuple(range(self.extent.rank))
        for layout in (NHWC, identity) if self.extent.rank == IMAGE_RANK else (identity,):
            if self.lies_in(layout):
                return layout
        return self.order + tuple(axis for axis in identity if axis not in self.order)

    def lies_in(self, layout: Iterable[int]) -> bool:
        """Return whether the tensor already has this order of axes in the file."""
        return self.order == order_of(self.extent, layout)

    def transposed(self, name: str, permutation: Sequence[int]) -> View:
        """Return the view of ONNX's Transpose: axis i is the former axis `permutation[i]`."""
        renumbered = {old: new for new, old in enumerate(permutation)}
        order = tuple(renumbered[axis] for axis in self.order)
        return View(name, self.tensor, self.extent.permuted(permutation), order)

    def padded(self, rank: int) -> View:
        """Return the view with axes of length one added in front, as broadcasting does."""
        extra = rank - self.extent.rank
        order = tuple(axis + extra for axis in self.order)
        return View(self.name, self.tensor, self.extent.padded(rank), order)


def order_of(extent: Extent, layout: Iterable[int]) -> tuple[int, ...]:
    """Return the long axes of `extent` in the order of `layout`."""
    return tuple(axis for axis in layout if axis in extent.long_axes)


def reshape_orders(view: View, extent: Extent) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the orders of axes in the file before and after a reshape.

    A reshape splits and merges neighbouring axes, so the axes of the two shapes form groups with the same
    product. A group may be anywhere in the file, but its own axes must be together and in order.

    Args:
        view: The tensor to reshape.
        extent: The new shape, with as many numbers as the old one.

    Returns:
        The order that the long axes of `view` must have (its current order if that is possible), and the
        order that the long axes of `extent` then have.
    """
    place = {axis: position for position, axis in enumerate(view.order)}
    groups = _groups(view.extent, extent)
    groups.sort(key=lambda group: min(place[axis] for axis in group[0]))
    before = tuple(axis for old, _ in groups for axis in old)
    after = tuple(axis for _, new in groups for axis in new)
    return before, after


def _groups(old: Extent, new: Extent) -> list[tuple[list[int], list[int]]]:
    """Return the smallest groups of long axes of `old` and `new` with equally many elements."""
    waiting = [list(old.long_axes), list(new.long_axes)]
    groups = []
    while waiting[0]:
        group: tuple[list[int], list[int]] = ([waiting[0].pop(0)], [waiting[1].pop(0)])
        counts = _count(old, group[0]), _count(new, group[1])
        while counts[0] != counts[1]:
            side = 0 if counts[0] < counts[1] else 1
            group[side].append(waiting[side].pop(0))
            counts = _count(old, group[0]), _count(new, group[1])
        groups.append(group)
    return groups


def _count(extent: Extent, axes: list[int]) -> tuple[int, bool]:
    return prod(extent.sizes[axis] for axis in axes), extent.free in axes


def runs_of(order: Sequence[int], target: Sequence[int]) -> list[tuple[int, ...]]:
    """Split `order` into the longest runs that are also runs of `target`."""
    follower = dict(pairwise(target))
    runs: list[tuple[int, ...]] = []
    for axis in order:
        if runs and follower.get(runs[-1][-1]) == axis:
            runs[-1] += (axis,)
        else:
            runs.append((axis,))
    return runs
