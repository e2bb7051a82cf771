"""Write a Paddle inference folder whose network gives joints as coordinates. Arguments: the folder."""

from __future__ import annotations

import sys
from pathlib import Path

import paddle
from paddle import Tensor, nn


class Points(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """A convolution over the whole picture: (N, 3, 16, 12) to (N, 4, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 12, (16, 12))

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image).reshape([-1, 4, 3])


if __name__ == "__main__":
    paddle.seed(0)
    layer = Points()
    layer.eval()
    spec = paddle.static.InputSpec([None, 3, 16, 12], "float32", "image")
    paddle.jit.save(layer, str(Path(sys.argv[1]) / "model"), input_spec=[spec])
