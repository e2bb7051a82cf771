"""Write a checkpoint of seeded random weights: `python random_weights.py NAME OUT`.

The batch norms get the statistics of a random image, as training would leave them, so that values neither
grow nor vanish on their way through a deep network.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from pose_onnx import load_card
from pose_onnx.exporters.networks import network_of

SEED = 7
BATCH = 2  # images; the smallest maps have few pixels
CALIBRATION_SIDE = 128  # pixels: statistics hardly depend on it, time does


def scatter(norm: nn.Layer, rng: np.random.Generator) -> None:
    """Make weight and bias of a batch norm unlike 1 and 0."""
    shape = tuple(norm.weight.shape)
    norm.weight.set_value(rng.uniform(0.7, 1.3, shape).astype(np.float32))
    norm.bias.set_value(rng.normal(0, 0.1, shape).astype(np.float32))
    norm._momentum = 0.0  # the running statistics become those of the batch


def main(name: str, out: Path) -> None:
    paddle.seed(SEED)
    rng = np.random.default_rng(SEED)
    card = load_card(name)
    layer = network_of(card).build(card)
    for part in layer.sublayers():
        if isinstance(part, nn.BatchNorm2D):
            scatter(part, rng)
    layer.train()
    images = rng.standard_normal((BATCH, 3, CALIBRATION_SIDE, CALIBRATION_SIDE)).astype(np.float32)
    with paddle.no_grad():
        layer(paddle.to_tensor(images))
    state = {key: value.numpy() for key, value in layer.state_dict().items()}
    np.savez(out, **state)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
