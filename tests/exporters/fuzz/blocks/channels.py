"""What moves channels about, or weighs them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.exporters.fuzz.blocks.convolutions import conv, depthwise
from tests.exporters.fuzz.blocks.shapes import reshape
from tests.exporters.fuzz.blocks.values import activate
from tests.exporters.fuzz.net import MAX_NUMBERS, MAX_SIDE, Net


def concat(net: Net) -> str:
    """Tensors behind one another on any axis, perhaps the same one twice."""
    x = net.pick()
    axis = net.one_of((0, 0, 0, 0, 1, 2))
    names = [x] + [net.like(net.shapes[x], but=axis) or x for _ in range(net.one_of((0, 1, 1, 2, 3)))]
    shape = list(net.shapes[x])
    shape[axis] = sum(net.shapes[name][axis] for name in names)
    if int(np.prod(shape)) > MAX_NUMBERS or max(shape[1:]) > MAX_SIDE:
        return conv(net, x)
    return net.add("Concat", names, tuple(shape), axis=net.one_of((axis + 1, axis - 3)))


def doubled_concat(net: Net) -> str:
    """A concatenation that is added to itself."""
    x = concat(net)
    return net.add("Add", [x, x], net.shapes[x])


def split(net: Net) -> list[str]:
    """Runs of channels, all of them used or only some; perhaps straight after a convolution."""
    x = activate(net, conv(net, None, net.one_of((32, 48, 20)))) if net.chance(0.3) else net.pick()
    channels, *pixels = net.shapes[x]
    if channels < 2:
        return [conv(net, x)]
    if channels % 2 == 0 and net.chance(0.2):
        return net.add_many("Split", [x], [(channels // 2, *pixels)] * 2, axis=1)
    block = net.one_of([b for b in (1, 4, 16) if channels % b == 0 and channels > b])
    cuts = net.rng.choice(np.arange(1, channels // block), net.one_of((1, 1, 2)) % (channels // block), False)
    ends = [0, *sorted(block * int(cut) for cut in cuts), channels]
    sizes = [b - a for a, b in pairwise(ends)]
    return net.add_many(
        "Split", [x, net.ints(*sizes)], [(s, *pixels) for s in sizes], axis=net.one_of((1, -3))
    )


def slices(net: Net) -> list[str]:
    """Every channel once, run by run, by Gather or Slice."""
    x = net.pick()
    channels, *pixels = net.shapes[x]
    step = max(1, channels // 2)
    starts = list(range(0, channels, step))
    ends = [min(channels, start + step) for start in starts]
    if net.chance(0.5):
        return [
            net.add("Gather", [x, net.ints(*range(a, b))], (b - a, *pixels), axis=1)
            for a, b in zip(starts, ends, strict=True)
        ]
    return [
        net.add("Slice", [x, net.ints(a), net.ints(b), net.ints(1)], (b - a, *pixels))
        for a, b in zip(starts, ends, strict=True)
    ]


def gather(net: Net) -> str:
    """Channels, rows or columns in any order, some twice; one alone as a tensor without that axis."""
    x = net.pick()
    shape = net.shapes[x]
    axis = net.one_of((0, 0, 0, 1, 2))
    spelled = net.one_of((axis + 1, axis - 3))
    order = net.rng.permutation(shape[axis])
    if net.chance(0.15):
        index = net.constant(np.array(order[0], np.int64))
        return net.add("Gather", [x, index], (*shape[:axis], *shape[axis + 1 :]), axis=spelled)
    if net.chance(0.4):
        order = net.rng.integers(0, shape[axis], net.one_of((1, 2, shape[axis])))
    if net.chance(0.2):
        order = order - shape[axis]
    picked = *shape[:axis], len(order), *shape[axis + 1 :]
    return net.add("Gather", [x, net.constant(order.astype(np.int64))], picked, axis=spelled)


def shuffle(net: Net, x: str | None = None) -> str:
    """Channels of several groups interleave; now and then pixels move as well."""
    if x is None:
        x = duplicated(net) if net.chance(0.2) else net.pick()
    channels, height, width = net.shapes[x]
    groups = net.one_of([g for g in (2, 3, 4, channels) if channels % g == 0])
    order, grouped = [0, 2, 1, 3, 4], (groups, channels // groups, height, width)
    if net.chance(0.15):
        order = [0, *(1 + net.rng.permutation(4)).tolist()]
    inner = reshape(net, x, grouped, kept=net.chance(0.2))
    moved = tuple(grouped[axis - 1] for axis in order[1:])
    inner = net.add("Transpose", [inner], moved if net.chance(0.1) else None, perm=order)
    return reshape(net, inner, (channels, height, width))


def duplicated(net: Net) -> str:
    """Half of the channels twice, with those of another tensor in between."""
    x = net.pick()
    channels, *pixels = net.shapes[x]
    if channels % 2:
        return x
    half = net.one_of(net.add_many("Split", [x], [(channels // 2, *pixels)] * 2, axis=1))
    other = conv(net, x, channels // 2)
    return net.add("Concat", [half, other, half], (3 * (channels // 2), *pixels), axis=1)


def shuffle_unit(net: Net) -> str:
    """A unit of ShuffleNet: half of the channels passes by, half is convolved, both interleave."""
    x = net.pick()
    channels, *pixels = net.shapes[x]
    if channels % 2:
        x = conv(net, x, 8)
        channels = 8
    kept, worked = net.add_many("Split", [x], [(channels // 2, *pixels)] * 2, axis=1)
    for step in (conv, depthwise, conv)[net.one_of((0, 1, 2)) :]:
        worked = step(net, worked, channels // 2) if step is conv else depthwise(net, worked)
        worked = net.add("Relu", [worked], net.shapes[worked]) if net.chance(0.5) else worked
    if net.shapes[worked] != (channels // 2, *pixels):
        return worked
    parts = net.one_of(([kept, worked], [worked, kept], [kept, worked]))
    return shuffle(net, net.add("Concat", parts, (channels, *pixels), axis=1))


def gate(net: Net) -> str:
    """A tensor times weights of its channels, of its pixels, or of both."""
    x = shuffle(net, conv(net)) if net.chance(0.4) else net.pick()
    channels, height, width = net.shapes[x]
    kind = net.one_of(("channels", "reduced", "pixels", "both"))
    if kind == "pixels":
        weight = conv(net, x, 1)
    elif kind == "both":
        weight = conv(net, x, channels)
    else:
        shape = channels, 1, 1
        pooled = (
            net.add("GlobalAveragePool", [x], shape)
            if kind == "channels"
            else net.add("ReduceMean", [x], shape, axes=net.one_of(([2, 3], [-2, -1])), keepdims=1)
        )
        weight = conv(net, pooled, channels, 1)
    weight = net.add(net.one_of(("Sigmoid", "HardSigmoid")), [weight], net.shapes[weight])
    return net.add("Mul", net.one_of(([x, weight], [weight, x])), (channels, height, width))
