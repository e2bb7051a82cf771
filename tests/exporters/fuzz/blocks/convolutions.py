"""Convolutions, what normalises them, and what adds them up."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.exporters.fuzz.net import CHANNELS, MAX_SIDE, Net


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


def branches(net: Net) -> str:
    """Convolutions of one tensor whose results are added, perhaps with a factor (RepVGG)."""
    x = net.pick()
    filters = net.one_of((4, 8, net.shapes[x][0]))
    first, second = conv(net, x, filters, 3), conv(net, x, filters, 1)
    if net.chance(0.4):
        factor = net.constant(net.weights(*[1] * net.one_of((0, 1, 3, 4))))
        second = net.add("Mul", [second, factor], net.shapes[second])
    return net.add("Add", [first, second], net.shapes[first])
