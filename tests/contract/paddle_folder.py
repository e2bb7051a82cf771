"""Save the contract's little network as an inference folder: `paddle_folder.py WEIGHTS.npz MODEL`."""

from __future__ import annotations

import sys

import numpy as np
import paddle
from paddle import Tensor, nn


class Little(nn.Layer):  # type: ignore[misc]  # paddle is untyped
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3, stride=2, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        heatmaps = nn.functional.relu(self.conv(image))
        return heatmaps, heatmaps.transpose([0, 2, 3, 1]).reshape([-1, 12, 4])


def main(weights: str, model: str) -> None:
    layer: nn.Layer = Little()
    with np.load(weights) as arrays:
        layer.set_state_dict({"conv.weight": arrays["w"], "conv.bias": arrays["b"]})
    layer.eval()
    layer.forward = paddle.jit.not_to_static(layer.forward)
    paddle.jit.save(layer, model, input_spec=[paddle.static.InputSpec([None, 3, 8, 6], "float32", "image")])


if __name__ == "__main__":
    main(*sys.argv[1:])
