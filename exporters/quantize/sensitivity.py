"""Which layers int8 hurts most: each alone is quantised, and the network's output compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import Task
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.quantize.insert import quantize_layers
from pose_onnx.exporters.quantize.layers import Layer, layers_of
from pose_onnx.exporters.quantize.ranges import Ranges, session_of

Arrays = Mapping[str, NDArray[np.float32]]
PROBES: Final = 8
"""Calibration inputs that each layer is tried on."""
SEEN: Final = 0.2
"""Boxes below this score are left out of the comparison."""


def rank_layers(graph: Graph, ranges: Ranges, samples: NDArray[np.float32], task: Task) -> tuple[Layer, ...]:
    """Sort the layers of a graph, the one that int8 hurts most first.

    Args:
        graph: a float32 graph.
        ranges: of every layer's tensors.
        samples: (M, 3, H, W), its inputs; `PROBES` of them are used, evenly spread.
        task: what the outputs are.
    """
    probes = samples[:: max(1, len(samples) // PROBES)][:PROBES]
    expected = _run(graph, probes)
    damage = {
        layer: DAMAGE[task](expected, _run(quantize_layers(graph, [layer], ranges), probes))
        for layer in layers_of(graph)
    }
    return tuple(sorted(damage, key=lambda layer: -damage[layer]))


def _run(graph: Graph, samples: NDArray[np.float32]) -> Arrays:
    names = [output.name for output in graph.outputs]
    return dict(zip(names, session_of(graph).run(names, {graph.inputs[0].name: samples}), strict=True))


def heatmap_damage(expected: Arrays, found: Arrays) -> float:
    """Return the squared error of heatmaps, relative to their squares."""
    before, after = expected["heatmaps"], found["heatmaps"]
    return float(np.square(after - before).mean() / np.square(before).mean())


def box_damage(expected: Arrays, found: Arrays) -> float:
    """Return how far scores move, plus how far edges do in box sizes, where there are boxes."""
    best = expected["scores"].max(axis=-1)
    seen = best >= min(SEEN, float(best.max()))
    scores = np.abs(found["scores"] - expected["scores"])[seen].mean()
    boxes = expected["boxes"][seen]
    sizes = np.maximum(np.ptp(boxes.reshape(-1, 2, 2), axis=1).mean(axis=-1), 1)
    edges = np.abs(found["boxes"][seen] - boxes).mean(axis=-1) / sizes
    return float(scores + edges.mean())


DAMAGE: Final[Mapping[Task, Callable[[Arrays, Arrays], float]]] = MappingProxyType(
    {"keypoints": heatmap_damage, "detect": box_damage}
)
