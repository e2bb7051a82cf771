"""Larger and smaller images: resizes, pyramids of them, frames."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tests.exporters.fuzz.blocks.convolutions import conv
from tests.exporters.fuzz.net import MAX_NUMBERS, MAX_SIDE, Net

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
        sizes = net.ints(1, channels, *large)
        return net.add("Resize", [x, "", no_factors(net), sizes], (channels, *large), **options)
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
    return net.add("Resize", [x, "", no_factors(net), both], shape, **net.one_of(RESIZES))


def no_factors(net: Net) -> str:
    """The factors of a Resize that has sizes: left out, or empty."""
    return "" if net.chance(0.5) else net.constant(np.zeros(0, np.float32), plain=True)


def pyramid(net: Net) -> str:
    """A sum of convolutions of several sizes, enlarged to the largest; sums may be parts of it."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    if height % 2 or width % 2:
        return conv(net, x)
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
