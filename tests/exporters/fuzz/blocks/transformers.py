"""What vision transformers are made of, as paddle2onnx writes it."""

from __future__ import annotations

from typing import Final

import numpy as np

from tests.exporters.fuzz.blocks.shapes import reshape, rows
from tests.exporters.fuzz.net import Net

LONGEST: Final = 64
"""Rows that attend to each other, at most."""


def _rows(net: Net) -> str:
    """Name of a tensor of rows."""
    x = net.pick(2)
    return x if len(net.shapes[x]) == 2 else rows(net)


def layer_normalization(net: Net) -> str:
    """A LayerNormalization of the last one, two or three axes, with a shift or without."""
    x = _rows(net) if net.chance(0.7) else net.pick()
    shape = net.shapes[x]
    count = net.one_of((1, 1, 1, *range(1, len(shape) + 1)))
    inputs = [x, net.constant(net.weights(*shape[-count:], low=0.5))]
    if net.chance(0.7):
        inputs.append(net.constant(net.weights(*shape[-count:])))
    # Of equal numbers, the last bit of their mean is worth 1 / sqrt(epsilon) of itself.
    return net.add("LayerNormalization", inputs, shape, axis=-count, epsilon=net.one_of((1e-3, 1e-1)))


def gelu(net: Net) -> str:
    """x * (1 + erf(x / sqrt(2))) / 2, in one of two orders."""
    x = _rows(net) if net.chance(0.7) else net.pick()
    shape = net.shapes[x]
    root, one, half = (net.constant(np.float32(value)) for value in (np.sqrt(2), 1, 0.5))
    grown = net.add("Add", [net.add("Erf", [net.add("Div", [x, root], shape)], shape), one], shape)
    if net.chance(0.5):
        return net.add("Mul", [net.add("Mul", [x, grown], shape), half], shape)
    return net.add("Mul", [x, net.add("Mul", [grown, half], shape)], shape)


def attention(net: Net) -> str:
    """Self-attention of rows with one or more heads, added to what came in."""
    x = _rows(net)
    length, width = net.shapes[x]
    if length > LONGEST:
        return layer_normalization(net)
    heads, depth = net.one_of((1, 2, 3)), net.one_of((2, 4, 8))
    inner = heads * depth
    product = net.add("MatMul", [x, net.constant(net.weights(width, 3 * inner))], (length, 3 * inner))
    parts = net.add_many("Split", [product], [(length, inner)] * 3, axis=-1)
    query, key, value = (
        net.add("Transpose", [reshape(net, part, (length, heads, depth))], shape, perm=order)
        for part, shape, order in zip(
            parts,
            ((heads, length, depth), (heads, depth, length), (heads, length, depth)),
            ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)),
            strict=True,
        )
    )
    found = net.add("MatMul", [query, key], (heads, length, length))
    scaled = net.add("Mul", [found, net.constant(np.float32(depth**-0.5))], (heads, length, length))
    weights = net.add("Softmax", [scaled], (heads, length, length), axis=-1)
    mixed = net.add("MatMul", [weights, value], (heads, length, depth))
    joined = net.add("Transpose", [mixed], (length, heads, depth), perm=[0, 2, 1, 3])
    flat = reshape(net, joined, (length, inner))
    back = net.add("MatMul", [flat, net.constant(net.weights(inner, width))], (length, width))
    return net.add("Add", [x, back], (length, width))
