"""Run a network of ours on Paddle: `python run_network.py CARD WEIGHTS IMAGE OUT`, the last three .npz files.

Run as a process of its own, because Paddle warns at import and keeps global state. The weights are those of a
checkpoint: they are matched with the network's parameters as an export does it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle

from pose_onnx import load_card
from pose_onnx.exporters.checkpoint import match_parameters
from pose_onnx.exporters.networks import network_of


def main(card_file: str, weights: str, image: str, out: str) -> None:
    """Write the outputs under the card's names."""
    card = load_card(Path(card_file))
    network = network_of(card)
    layer = network.build(card)
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    with np.load(weights) as given:
        state = match_parameters(dict(given), shapes, aliases=network.aliases, buffers=network.buffers)
    layer.set_state_dict(state)
    layer.eval()
    with np.load(image) as images, paddle.no_grad():
        outputs = layer(paddle.to_tensor(images["image"]))
    np.savez(out, **dict(zip(card.output_names, (tensor.numpy() for tensor in outputs), strict=True)))


if __name__ == "__main__":
    main(*sys.argv[1:])
