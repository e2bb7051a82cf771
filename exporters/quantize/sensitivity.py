"""Finds the layers that int8 hurts most: quantises each one alone and compares the network's output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.quantize.insert import quantize_layers
from pose_onnx.exporters.quantize.layers import Layer, layers_of
from pose_onnx.exporters.quantize.ranges import Ranges, session_of

Arrays = Mapping[str, NDArray[np.float32]]
PROBES: Final = 8
"""Calibration inputs that each layer is tried on."""


def rank_layers(
    graph: Graph, ranges: Ranges, samples: NDArray[np.float32], card: ModelCard
) -> tuple[Layer, ...]:
    """Sort the layers of a graph, the one that int8 hurts most first.

    Args:
        graph: a float32 graph.
        ranges: of every layer's tensors.
        samples: (M, 3, H, W), its inputs; `PROBES` of them are used, evenly spread.
        card: the network's card; its kind of output defines damage.
    """
    probes = samples[:: max(1, len(samples) // PROBES)][:PROBES]
    expected = _run(graph, probes)
    damage = export_of(card).damage
    damages = {
        layer: damage(expected, _run(quantize_layers(graph, [layer], ranges), probes))
        for layer in layers_of(graph)
    }
    return tuple(sorted(damages, key=lambda layer: -damages[layer]))


def _run(graph: Graph, samples: NDArray[np.float32]) -> Arrays:
    names = [output.name for output in graph.outputs]
    return dict(zip(names, session_of(graph).run(names, {graph.inputs[0].name: samples}), strict=True))
