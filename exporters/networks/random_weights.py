"""Seeded random weights that make a network behave like a trained one; needs Paddle.

Every batch norm gets one variance for all of its channels: the mean square of its input for the given images.
So values neither grow nor vanish in a deep network. With a mean and a variance for each channel, a random
network is chaotic: changing the last bit of its input moves boxes by 0.2 pixels, and no two engines agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks import network_of

SEED: Final = 7
SPREAD: Final = 0.1  # standard deviation of means and biases
GAINS: Final = (0.2, 0.4)  # range of batch norm weights and factors; larger ones make the network chaotic
FACTOR_RANK: Final = 3
POWER: Final = 1.6  # ratio of the mean squares of a convolution's output and input
_NORMS: Final = (nn.BatchNorm1D, nn.BatchNorm2D)

Arrays = Mapping[str, NDArray[np.float32]]


def random_weights(card: ModelCard, images: Arrays) -> dict[str, NDArray[np.float32]]:
    """Return a random state dict for a card's network, in which no two entries are equal.

    Args:
        card: the network's card.
        images: network inputs by name, with which the variances for the batch norms are measured.
    """
    layer = network_of(card).build(card)
    fill(layer, images)
    return {name: value.numpy() for name, value in layer.state_dict().items()}


def fill(layer: nn.Layer, images: Arrays) -> None:
    """Give a whole network random weights; see `random_weights`."""
    rng = np.random.default_rng(SEED)
    for name, value in layer.state_dict().items():
        if value.ndim == 1:  # a bias or factor; batch norms follow
            low, high = GAINS
            draw = rng.uniform(low, high, value.shape) if name.endswith(".alpha") else None
            value.set_value((rng.normal(0, SPREAD, value.shape) if draw is None else draw).astype(np.float32))
    for _, value in layer.named_parameters():
        if value.ndim == FACTOR_RANK:  # ST-GCN's factors for its links
            value.set_value(rng.normal(1, SPREAD, value.shape).astype(np.float32))
    for part in layer.sublayers():
        _fill(part, rng)
    norms = [part for part in layer.sublayers() if isinstance(part, _NORMS)]
    hooks = [norm.register_forward_pre_hook(_calibrate) for norm in norms]
    layer.eval()
    with paddle.no_grad():
        layer(paddle.to_tensor(_joined(images)))
    for hook in hooks:
        hook.remove()


def _joined(images: Arrays) -> NDArray[np.float32]:
    """Return the images in one batch, without those of another size than the last."""
    *_, last = images.values()
    return np.concatenate([batch for batch in images.values() if batch.shape[1:] == last.shape[1:]])


def _fill(part: nn.Layer, rng: np.random.Generator) -> None:
    """Fill a layer with random values; a batch norm gets its variance just before it runs."""
    if isinstance(part, nn.Conv2D):
        shape = tuple(part.weight.shape)
        part.weight.set_value(rng.normal(0, np.sqrt(POWER / np.prod(shape[1:])), shape).astype(np.float32))
    elif isinstance(part, nn.Conv2DTranspose):
        shape = tuple(part.weight.shape)
        # Each output pixel uses one of stride**2 parts of the kernel, and the channels of its group.
        taps = np.prod(shape[2:]) / np.prod(part._stride)  # noqa: SLF001 (Paddle's name)
        power = POWER / (taps * shape[0] / part._groups)  # noqa: SLF001 (likewise)
        part.weight.set_value(rng.normal(0, np.sqrt(power), shape).astype(np.float32))
    elif isinstance(part, nn.Linear):
        shape = tuple(part.weight.shape)
        part.weight.set_value(rng.normal(0, np.sqrt(POWER / shape[0]), shape).astype(np.float32))
    elif isinstance(part, nn.LayerNorm):  # its input has a power of 1 already
        shape = tuple(part.weight.shape)
        part.weight.set_value(rng.normal(1, SPREAD, shape).astype(np.float32))
    elif isinstance(part, _NORMS):
        shape = tuple(part.weight.shape)
        part.weight.set_value(rng.uniform(*GAINS, shape).astype(np.float32))
        for value in (part.bias, part._mean):  # noqa: SLF001 (Paddle's names of a batch norm's buffers)
            value.set_value(rng.normal(0, SPREAD, shape).astype(np.float32))


def _calibrate(norm: nn.Layer, inputs: Any) -> None:
    (x,) = inputs
    power = float((x**2).mean())
    norm._variance.set_value(paddle.full_like(norm._variance, power))  # noqa: SLF001 (likewise)
