"""Write a checkpoint of seeded random weights: `python random_weights.py NAME OUT`.

Every batch norm gets, for all of its channels, the mean square that its input has for the images of an
export's verification. So values neither grow nor vanish on their way through a deep network. With each
channel's own mean and variance a random network is chaotic: the last bit of its input is worth 0.2 pixels
in its boxes, and no two engines agree.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from pose_onnx import load_card
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.verify import make_inputs

SEED = 7
SPREAD = 0.1  # standard deviation of means and biases
GAINS = (0.2, 0.4)  # range of the batch norms' weights: for higher ones see above
POWER = 1.6  # of a convolution's output to its input's


def fill(part: nn.Layer, rng: np.random.Generator) -> None:
    """Give a layer random values; a batch norm its variance just before it runs."""
    if isinstance(part, nn.Conv2D):
        shape = tuple(part.weight.shape)
        part.weight.set_value(rng.normal(0, np.sqrt(POWER / np.prod(shape[1:])), shape).astype(np.float32))
    elif isinstance(part, nn.BatchNorm2D):
        shape = tuple(part.weight.shape)
        part.weight.set_value(rng.uniform(*GAINS, shape).astype(np.float32))
        for value in (part.bias, part._mean):
            value.set_value(rng.normal(0, SPREAD, shape).astype(np.float32))
        part.register_forward_pre_hook(calibrate)


def calibrate(norm: nn.Layer, inputs: Any) -> None:
    (x,) = inputs
    norm._variance.set_value(paddle.full_like(norm._variance, float((x**2).mean())))


def main(name: str, out: Path) -> None:
    paddle.seed(SEED)  # of what is not filled: biases, factors
    rng = np.random.default_rng(SEED)
    card = load_card(name)
    layer = network_of(card).build(card)
    for part in layer.sublayers():
        fill(part, rng)
    layer.eval()
    images = make_inputs(card).values()
    with paddle.no_grad():
        layer(paddle.to_tensor(np.concatenate(list(images))))
    state = {key: value.numpy() for key, value in layer.state_dict().items()}
    # The factors of PP-YOLOE+ are 1 in a new network.
    state |= {key: rng.uniform(*GAINS, (1,)).astype(np.float32) for key in state if key.endswith(".alpha")}
    np.savez(out, **state)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
