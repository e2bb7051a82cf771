"""What random networks are made of: each function appends a few nodes, valid whatever is there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from tests.exporters.fuzz.net import CHANNELS, Net, Shape

NEAREST: Final = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
RESIZES: Final[tuple[dict[str, Any], ...]] = (
    NEAREST,
    NEAREST,
    {"mode": "nearest"},
    {"mode": "nearest", "coordinate_transformation_mode": "align_corners", "nearest_mode": "floor"},
    {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
)
MAX_SIDE: Final = 24
MAX_NUMBERS: Final = 1 << 13  # in one image


def conv(net: Net, x: str | None = None, filters: int | None = None, kernel: int | None = None) -> str:
    """A convolution that keeps the size, dense or in groups."""
    x = x or net.pick()
    channels, height, width = net.shapes[x]
    filters = filters or net.one_of(CHANNELS)
    group = net.one_of([g for g in (1, 1, 1, 2, 4) if channels % g == 0 and filters % g == 0])
    kernel = kernel or net.one_of((1, 1, 1, 3, 5))
    dilation = net.one_of((1, 1, 1, 1, 2))
    weight = net.weights(filters, channels // group, kernel, kernel) / np.float32(2)
    inputs = [x, net.constant(weight)]
    if net.chance(0.6):
        inputs.append(net.constant(net.weights(filters)))
    elif net.chance(0.1):
        inputs.append("")
    pads = [dilation * (kernel // 2)] * 4
    attributes: dict[str, Any] = {"pads": pads} if any(pads) or net.chance(0.5) else {}
    attributes |= {"dilations": [dilation] * 2} if dilation > 1 else {}
    attributes |= {"group": group} if group > 1 or net.chance(0.5) else {}
    return net.add("Conv", inputs, (filters, height, width), **attributes)


def depthwise(net: Net, x: str | None = None) -> str:
    """A convolution of every channel by itself."""
    x = x or net.pick()
    channels = net.shapes[x][0]
    inputs = [x, net.constant(net.weights(channels, 1, 3, 3)), net.constant(net.weights(channels))]
    return net.add("Conv", inputs[: net.one_of((2, 3))], net.shapes[x], group=channels, pads=[1] * 4)


def shrink(net: Net) -> str:
    """A convolution or a pool that halves even sides, with the padding on one side or on all."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    if height % 2 or width % 2 or min(height, width) < 4:
        return conv(net, x)
    shape = channels, height // 2, width // 2
    options: dict[str, Any] = {"strides": [2, 2]}
    kind = net.one_of(("Conv", "one-sided", "MaxPool", "AveragePool", "2x2"))
    if kind == "2x2":
        return net.add(net.one_of(("MaxPool", "AveragePool")), [x], shape, kernel_shape=[2, 2], **options)
    options["pads"] = net.one_of(([0, 0, 1, 1], [1, 1, 0, 0])) if kind == "one-sided" else [1] * 4
    if kind in ("Conv", "one-sided"):
        filters = net.one_of(CHANNELS)
        weight = net.constant(net.weights(filters, channels, 3, 3) / np.float32(2))
        return net.add("Conv", [x, weight], (filters, *shape[1:]), **options)
    options |= {"count_include_pad": net.one_of((0, 1))} if kind == "AveragePool" else {}
    return net.add(kind, [x], shape, kernel_shape=[3, 3], **options)


def computed_kernel(net: Net) -> str:
    """A convolution whose kernel no one knows before the image is there (it is always the same)."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    mean = net.add("ReduceMean", [x], None, keepdims=0)
    one = net.add("Clip", [mean, net.constant(np.float32(1)), net.constant(np.float32(1))], None)
    kernel = net.add("Mul", [one, net.constant(net.weights(4, channels, 1, 1))], None)
    return net.add("Conv", [x, kernel], (4, height, width))


def transposed_conv(net: Net) -> str:
    """A convolution that doubles the size."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    if max(height, width) * 2 > MAX_SIDE:
        return conv(net, x)
    filters = net.one_of((2, 4, 8))
    inputs = [x, net.constant(net.weights(channels, filters, 2, 2)), net.constant(net.weights(filters))]
    shape = filters, 2 * height, 2 * width
    return net.add("ConvTranspose", inputs[: net.one_of((2, 3))], shape, strides=[2, 2])


def batch_norm(net: Net) -> str:
    """A normalisation, after a convolution or after anything."""
    kind = net.one_of((conv, depthwise, transposed_conv, Net.pick, Net.pick))
    x = kind(net)
    channels = net.shapes[x][0]
    parts = [net.constant(net.weights(channels, low=0.5, high=1.5)) for _ in range(4)]
    return net.add("BatchNormalization", [x, *parts], net.shapes[x], epsilon=1e-3)


def activate(net: Net, x: str | None = None) -> str:
    """Any function of one value."""
    x = x or net.pick(net.one_of((3, 3, 3, 2, 1)))
    op, attributes = net.one_of(
        (
            ("Relu", {}),
            ("Relu", {}),
            ("Sigmoid", {}),
            ("HardSwish", {}),
            ("HardSigmoid", {}),
            ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
            ("LeakyRelu", {"alpha": 0.1}),
            ("Identity", {}),
            ("Dropout", {}),
            ("Cast", {"to": 1}),
            ("Softmax", {"axis": -1}),
            ("Clip", {}),
            ("Clip", {}),
        )
    )
    bounds: list[str] = []
    if op == "Clip":
        low, high = net.one_of(((0, 6), (-1, 1), (0, 1), (-0.5, None), (None, 2), (None, None)))
        bounds = ["" if b is None else net.constant(np.float32(b)) for b in (low, high)]
        bounds = bounds[: net.one_of((2, 2, 0 if (low, high) == (None, None) else 2))]
    return net.add(op, [x, *bounds], net.shapes[x], **attributes)


def hard_swish(net: Net) -> str:
    """x * HardSigmoid(x), as it was written before opset 14."""
    x = net.pick()
    gate = net.add("HardSigmoid", [x], net.shapes[x], alpha=1 / 6, beta=0.5)
    return net.add("Mul", net.one_of(([x, gate], [gate, x])), net.shapes[x])


def scores(net: Net) -> str:
    """A root of sigmoids' product, as PicoDet's scores."""
    x = net.pick()
    other = net.like(net.shapes[x]) or x
    both = [net.add("Sigmoid", [name], net.shapes[x]) for name in (x, other)]
    product = net.add("Mul", both, net.shapes[x])
    offset = net.add("Add", [product, net.constant(np.full(1, 1e-2, np.float32))], net.shapes[x])
    return net.add("Sqrt", [offset], net.shapes[x])


def add(net: Net) -> str:
    """A sum of several tensors of one shape, in a tree of any form; some are added more than once."""
    x = net.pick(net.one_of((3, 3, 3, 2)))
    terms = [x]
    for _ in range(net.one_of((1, 1, 2, 3))):
        made = conv(net, net.pick()) if net.chance(0.4) else None
        fits = made is not None and net.shapes[made] == net.shapes[x]
        terms.append(made if made is not None and fits else net.like(net.shapes[x]) or x)
    if net.chance(0.2):
        return net.add("Sum", terms, net.shapes[x])
    while len(terms) > 1:
        first = terms.pop(int(net.rng.integers(len(terms))))
        second = terms.pop(int(net.rng.integers(len(terms))))
        op = net.one_of(("Add", "Add", "Add", "Add", "Add", "Max", "Min", "Sub"))
        terms.append(net.add(op, [first, second], net.shapes[x]))
    return terms[0]


def one_input(net: Net) -> str:
    """A sum, a maximum or a concatenation of one tensor."""
    x = net.pick()
    op, attributes = net.one_of((("Sum", {}), ("Max", {}), ("Concat", {"axis": 1})))
    return net.add(op, [x], net.shapes[x], **attributes)


def with_constant(net: Net) -> str:
    """Arithmetic with a constant of any shape that broadcasts, also one that makes the tensor larger."""
    x = net.pick(net.one_of((3, 3, 3, 2)))
    shape = net.shapes[x]
    rank = int(net.rng.integers(len(shape) + 2))
    sizes = [net.one_of((1, size)) for size in (1, *shape)][len(shape) + 1 - rank :]
    grown = list(shape)
    for axis in range(-min(rank, len(shape)), 0):
        if shape[axis] == 1 and net.chance(0.3):
            sizes[axis] = grown[axis] = net.one_of((1, 2, 4))
    op = net.one_of(("Add", "Mul", "Sub", "Div", "Max", "Min"))
    neutral = {"Add": 0.0, "Sub": 0.0}.get(op, 1.0)
    values = np.full(sizes, neutral, np.float32) if net.chance(0.4) else net.weights(*sizes, low=0.5)
    inputs = [x, net.constant(values)]
    if op in ("Add", "Mul", "Max", "Min") and net.chance(0.3):
        inputs.reverse()
    return net.add(op, inputs, tuple(grown))


def gate(net: Net) -> str:
    """A tensor times weights of its channels, of its pixels, or of both."""
    x = net.pick()
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


def shape_target(net: Net, x: str, shape: Shape) -> str:
    """The target of a Reshape, as a constant or computed from the tensor's own batch."""
    if net.chance(0.7):
        return net.ints(net.one_of((-1, 0)) if net.batch is None else net.one_of((-1, 0, net.batch)), *shape)
    whole = net.add("Shape", [x], None)
    first = net.one_of(("Slice", "Gather"))
    if first == "Slice":
        batch = net.add("Slice", [whole, net.ints(0), net.ints(1), net.ints(0)], None)
    else:
        batch = net.add("Gather", [whole, net.ints(0)], None)
    return net.add("Concat", [batch, net.ints(*shape)], None, axis=0)


def reshape(net: Net, x: str, shape: Shape, *, kept: bool = True) -> str:
    """A Reshape of all axes but the batch."""
    return net.add("Reshape", [x, shape_target(net, x, shape)], shape if kept else None)


def shuffle(net: Net, x: str | None = None) -> str:
    """Channels of several groups interleave; now and then pixels move as well."""
    x = x or net.pick()
    channels, height, width = net.shapes[x]
    groups = net.one_of([g for g in (2, 3, 4, channels) if channels % g == 0])
    order, grouped = [0, 2, 1, 3, 4], (groups, channels // groups, height, width)
    if net.chance(0.15):
        order = [0, *(1 + net.rng.permutation(4)).tolist()]
    inner = reshape(net, x, grouped, kept=net.chance(0.2))
    moved = tuple(grouped[axis - 1] for axis in order[1:])
    inner = net.add("Transpose", [inner], moved if net.chance(0.1) else None, perm=order)
    return reshape(net, inner, (channels, height, width))


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


def resize(net: Net, x: str | None = None) -> str:
    """Another size, by factors or by sizes, of any mode; also a smaller one, or the same."""
    x = x or net.pick()
    channels, height, width = net.shapes[x]
    rows, columns = net.one_of(((2, 2), (2, 2), (4, 4), (2, 4), (1, 1), (0.75, 0.75), (0.5, 0.5), (1, 2)))
    large = int(height * rows), int(width * columns)
    if max(large) > MAX_SIDE or min(large) < 1 or channels * large[0] * large[1] > MAX_NUMBERS:
        return conv(net, x)
    options = net.one_of(RESIZES)
    if net.batch is not None and net.chance(0.3):
        return net.add("Resize", [x, "", "", net.ints(1, channels, *large)], (channels, *large), **options)
    factors = np.array([1, 1, large[0] / height, large[1] / width], np.float32)
    return net.add("Resize", [x, "", net.constant(factors)], (channels, *large), **options)


def resize_to(net: Net) -> str:
    """The size of another tensor, by arithmetic in the graph."""
    x, other = net.pick(), net.pick()
    shape = net.shapes[x][0], *net.shapes[other][1:]
    # By Gather: ONNX Runtime takes a Slice of a Shape for empty.
    own = net.add("Gather", [net.add("Shape", [x], None), net.ints(0, 1)], None)
    size = net.add("Gather", [net.add("Shape", [other], None), net.ints(2, 3)], None)
    both = net.add("Concat", [own, size], None, axis=0)
    return net.add("Resize", [x, "", "", both], shape, **net.one_of(RESIZES))


def pyramid(net: Net) -> str:
    """A sum of convolutions of several sizes, enlarged to the largest; sums may be parts of it."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    terms = [x, conv(net, x, channels)] if net.chance(0.5) else [x]
    for factor in net.one_of(((2,), (2, 4), (2, 2), (4, 2, 4))):
        if height % factor or width % factor:
            continue
        side = [factor] * 2
        small = (channels, height // factor, width // factor)
        pooled = net.add("MaxPool", [x], small, kernel_shape=side, strides=side)
        low = conv(net, pooled, channels)
        low = net.add("Add", [low, conv(net, pooled, channels)], small) if net.chance(0.2) else low
        factors = net.constant(np.array([1, 1, *side], np.float32))
        terms.append(net.add("Resize", [low, "", factors], net.shapes[x], **NEAREST))
        terms += terms[-1:] if net.chance(0.15) else []
    total = terms[0]
    for term in terms[1:]:
        total = net.add("Add", net.one_of(([total, term], [term, total])), net.shapes[x])
    return total


def branches(net: Net) -> str:
    """Convolutions of one tensor whose results are added, perhaps with a factor (RepVGG)."""
    x = net.pick()
    filters = net.one_of((4, 8, net.shapes[x][0]))
    first, second = conv(net, x, filters, 3), conv(net, x, filters, 1)
    if net.chance(0.4):
        factor = net.constant(net.weights(*[1] * net.one_of((0, 1, 3, 4))))
        second = net.add("Mul", [second, factor], net.shapes[second])
    return net.add("Add", [first, second], net.shapes[first])


def pad(net: Net) -> str:
    """A frame around the image, or on one side of it."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    top, left, bottom, right = (int(n) for n in net.rng.integers(0, 3, 4))
    inputs = [x, net.ints(0, 0, top, left, 0, 0, bottom, right)]
    mode = net.one_of(("constant", "constant", "constant", "edge", "reflect"))
    if max(height, width) + 4 > MAX_SIDE or min(height, width) < 3:
        return conv(net, x)
    if mode == "constant":
        value = net.weights(*net.one_of(((), (), (1,)))) if net.chance(0.5) else np.zeros((), np.float32)
        inputs += [net.constant(value)] if net.chance(0.6) else []
    shape = channels, top + height + bottom, left + width + right
    return net.add("Pad", inputs, shape, mode=mode)


def transpose(net: Net) -> str:
    """Axes in another order and back, or for good; without `perm` they are reversed, the batch included."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    kind = net.one_of(("reversed", "back", "kept", "same"))
    if kind == "reversed":
        turned = net.add("Relu", [net.add("Transpose", [x], None)], None)
        return net.add("Transpose", [turned], net.shapes[x])
    if kind == "same":
        return net.add("Transpose", [x], net.shapes[x], perm=[0, 1, 2, 3])
    last = net.add("Transpose", [x], (height, width, channels), perm=[0, 2, 3, 1])
    if kind == "kept":
        return last
    last = activate(net, last)
    return net.add("Transpose", [last], net.shapes[x], perm=[0, 3, 1, 2])


def rows(net: Net) -> str:
    """An image as rows of channels, or of pixels, perhaps multiplied; as a detector's head."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    if net.chance(0.5):
        flat = reshape(net, x, (channels, height * width))
        result = net.add("Transpose", [flat], (height * width, channels), perm=[0, 2, 1])
    else:
        last = net.add("Transpose", [x], (height, width, channels), perm=[0, 2, 3, 1])
        result = reshape(net, last, (height * width, channels))
    if net.chance(0.4):
        weight = net.constant(net.weights(channels, 4))
        result = net.add("MatMul", [result, weight], (height * width, 4))
    if net.chance(0.3):
        result = net.add("Softmax", [result], net.shapes[result], axis=net.one_of((-1, 2)))
    return result


def flatten(net: Net) -> str:
    """All numbers of an image in one row, in one or two steps; or the means of its channels."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    if net.chance(0.3):
        return net.add("ReduceMean", [x], (channels,), axes=[2, 3], keepdims=0)
    if net.chance(0.5):
        x = reshape(net, x, (channels * height, width))
    return reshape(net, x, (channels * height * width,))


def reshape_twice(net: Net) -> str:
    """Reshapes after one another, which end at an image again."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    flat = reshape(net, x, (channels * height, width), kept=net.chance(0.3))
    return reshape(net, flat, (channels, height, width) if net.chance(0.7) else (height, channels, width))


BLOCKS: Final[Mapping[Callable[[Net], Any], int]] = MappingProxyType(
    {
        conv: 8,
        depthwise: 3,
        shrink: 3,
        computed_kernel: 1,
        transposed_conv: 1,
        batch_norm: 3,
        activate: 8,
        hard_swish: 1,
        scores: 1,
        add: 6,
        one_input: 1,
        with_constant: 4,
        gate: 3,
        concat: 5,
        doubled_concat: 1,
        split: 4,
        slices: 1,
        gather: 3,
        shuffle: 4,
        shuffle_unit: 4,
        resize: 3,
        resize_to: 1,
        pyramid: 3,
        branches: 2,
        pad: 2,
        transpose: 2,
        rows: 2,
        flatten: 1,
        reshape_twice: 1,
    }
)
"""Every block, and how often it is taken."""
