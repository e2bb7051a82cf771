"""Feature pyramid (arXiv 1612.03144) of two-stage detectors.

Structure and names: PaddleDetection ppdet/modeling/necks/fpn.py, without norms and further convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn
from paddle.nn import functional


class FPN(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features of four stages -> as many, and one of half the size, all with the same channels.

    Args:
        c_in: channels of the features, highest resolution first.
        c_out: channels of the results.
    """

    def __init__(self, c_in: Sequence[int], c_out: int) -> None:
        super().__init__()
        last = len(c_in) - 1
        self._names = [f"res{2 + place}_sum" for place in range(len(c_in))]
        self._inner = [
            f"fpn_inner_{name}{'' if place == last else '_lateral'}" for place, name in enumerate(self._names)
        ]
        for inner, name, channels in zip(self._inner, self._names, c_in, strict=True):
            self.add_sublayer(inner, nn.Conv2D(channels, c_out, 1))
            self.add_sublayer(f"fpn_{name}", nn.Conv2D(c_out, c_out, 3, padding=1))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(N, C_i, H / 2^i, W / 2^i) each -> (N, c_out, H / 2^i, W / 2^i), with one level more."""
        found: list[Tensor] = []
        coarser = None
        for inner, name, feature in reversed(list(zip(self._inner, self._names, features, strict=True))):
            x = getattr(self, inner)(feature)
            if coarser is not None:
                x = x + functional.interpolate(coarser, scale_factor=2.0, mode="nearest")
            coarser = x
            found.insert(0, getattr(self, f"fpn_{name}")(x))
        return [*found, functional.max_pool2d(found[-1], 1, stride=2)]
