"""Maps of centres, sizes and offsets: the heads of PaddleDetection's CenterNet."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.end_to_end import _centers, _places, _sampling
from pose_onnx.exporters.end_to_end._boxes import Pair
from pose_onnx.exporters.end_to_end._network import PRESET, insert
from pose_onnx.exporters.end_to_end._normalize import normalize
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.outputs._export import Arrays, Heads, Shape
from pose_onnx.exporters.outputs.boxes import BoxExport
from pose_onnx.outputs.centers import HEADS, channels_of

FORM: Final = "centers"
HEAD_RANK: Final = 4  # (N, C, h, w)


class CenterExport(BoxExport):
    """See `OutputExport`; the only form is the three maps, in this order."""

    # Scores are probabilities; sizes and offsets are in cells of four pixels.
    bars: Mapping[str, Mapping[str, float]] = MappingProxyType(
        {
            "fp32": MappingProxyType({"centers": 5e-6, "sizes": 2.5e-4, "offsets": 2.5e-4}),
            "fp16": MappingProxyType({"centers": 1e-2, "sizes": 0.25, "offsets": 0.25}),
        }
    )
    # Image pixels and probability. Only rounding in the normalisation differs.
    end_to_end_bars = MappingProxyType({"boxes": 0.05, "scores": 1e-4})

    def describe(self, card: ModelCard) -> str:
        """See `OutputExport`."""
        return f"maps of centres of {len(card.classes)} classes, of sizes and of offsets"

    def find(self, shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
        """See `OutputExport`."""
        maps = {name: shape for name, shape in shapes.items() if len(shape) == HEAD_RANK}
        wanted = tuple(shape[1] for shape in maps.values()) == channels_of(card)
        return Heads(FORM, tuple(maps)) if wanted else None

    def write(self, graph: Graph, heads: Heads, card: ModelCard) -> None:
        """See `OutputExport`."""
        del card
        graph.nodes += [
            Node("Identity", [found], [name]) for found, name in zip(heads.names, HEADS, strict=True)
        ]

    def read(self, arrays: Arrays, heads: Heads, card: ModelCard) -> Arrays:
        """See `OutputExport`."""
        del card
        return {name: arrays[found] for found, name in zip(heads.names, HEADS, strict=True)}

    def damage(self, expected: Arrays, found: Arrays) -> float:
        """Return the sum over the heads of their squared errors, each relative to its variance."""
        errors = [np.square(found[name] - head).mean() / head.var() for name, head in expected.items()]
        return float(sum(errors))

    def find_people(self, image: Value, network: Graph, card: ModelCard) -> Pair:
        """See `BoxExport`."""
        placed = _places.place(image, card)
        pixels = _sampling.sample(image, placed, card.picture.size)
        heads = insert(network, normalize(pixels, card.picture))
        return _centers.select(heads, image, placed, card, PRESET)


EXPORT: Final = CenterExport()
