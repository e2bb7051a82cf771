"""Functions of values at one place: activations and arithmetic."""

from __future__ import annotations

import numpy as np

from tests.exporters.fuzz.blocks.convolutions import conv
from tests.exporters.fuzz.net import Net


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
    if len(net.shapes[x]) == 3 and net.chance(0.3):
        x = net.add("ReduceMean", [x], (*net.shapes[x][:2], 1), axes=[3])
    shape = net.shapes[x]
    rank = int(net.rng.integers(len(shape) + 2))
    sizes = [net.one_of((1, size)) for size in (1, *shape)][len(shape) + 1 - rank :]
    grown = list(shape)
    for axis in range(-min(rank, len(shape)), 0):
        if shape[axis] == 1 and net.chance(0.6):
            sizes[axis] = grown[axis] = net.one_of((1, 2, 4))
    op = net.one_of(("Add", "Mul", "Sub", "Div", "Max", "Min"))
    neutral = {"Add": 0.0, "Sub": 0.0}.get(op, 1.0)
    values = np.full(sizes, neutral, np.float32) if net.chance(0.4) else net.weights(*sizes, low=0.5)
    inputs = [x, net.constant(values)]
    if op in ("Add", "Mul", "Max", "Min") and net.chance(0.3):
        inputs.reverse()
    return net.add(op, inputs, tuple(grown))
