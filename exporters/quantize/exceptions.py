"""Selects the layers that stay in float32: by a rule for weights only, by measured order for static int8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pose_onnx.exporters.quantize.layers import Layer

Layers = tuple[Layer, ...]

WEIGHT_RULES: Final[Mapping[str, Callable[[Layers], Layers]]] = MappingProxyType(
    {
        # A depthwise kernel has only 9 or 25 weights per output: their errors do not average out.
        "depthwise": lambda layers: tuple(layer for layer in layers if layer.depthwise),
        # All later layers see the error of the first layer, which is small.
        "first": lambda layers: layers[:1],
    }
)
"""Layers whose weights stay float32 when weights alone become int8 (docs/precision.md)."""

SHARES: Final = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the most sensitive layers that static int8 leaves in float32, tried in turn until AP is kept."""
UNJUDGED_SHARES: Final = (1 / 4,)
"""Used if AP is not measured: it was enough for all four official models."""


def float_weights(layers: Layers) -> Layers:
    """Return the layers whose weights stay in float32, in the order of the graph."""
    kept = {layer for rule in WEIGHT_RULES.values() for layer in rule(layers)}
    return tuple(layer for layer in layers if layer in kept)
