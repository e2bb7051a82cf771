"""The same values in another shape or order: reshapes and transposes."""

from __future__ import annotations

from tests.exporters.fuzz.blocks.values import activate
from tests.exporters.fuzz.net import Net, Shape


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


def reshape_twice(net: Net) -> str:
    """Reshapes after one another, which end at an image again."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    flat = reshape(net, x, (channels * height, width), kept=net.chance(0.3))
    return reshape(net, flat, (channels, height, width) if net.chance(0.7) else (height, channels, width))


def flatten(net: Net) -> str:
    """All numbers of an image in one row, in one or two steps; or the means of its channels."""
    x = net.pick()
    channels, height, width = net.shapes[x]
    if net.chance(0.3):
        return net.add("ReduceMean", [x], (channels,), axes=[2, 3], keepdims=0)
    if net.chance(0.5):
        x = reshape(net, x, (channels * height, width))
    return reshape(net, x, (channels * height * width,))


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
