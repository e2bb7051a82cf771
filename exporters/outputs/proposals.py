"""Boxes of a two-stage detector, for each region and class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import BOX, F32
from pose_onnx.exporters.end_to_end import _places, _proposals
from pose_onnx.exporters.end_to_end._boxes import Pair
from pose_onnx.exporters.end_to_end._network import PRESET, insert
from pose_onnx.exporters.end_to_end._pad import pad
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.outputs._export import Arrays, Heads, Shape
from pose_onnx.exporters.outputs.boxes import BoxExport

FORM: Final = "proposals"
BARS: Final[Mapping[str, float]] = MappingProxyType({"boxes": 0.01, "scores": 1e-4})
"""Input pixels and probability."""
COMPARED: Final = 100
"""So many of the best boxes are compared: as many as are kept."""


class ProposalExport(BoxExport):
    """See `OutputExport`; the only form is boxes (R, C, 4) and scores (R, C) of one image."""

    bars: Mapping[str, Mapping[str, float]] = MappingProxyType({"fp32": BARS})
    free = True

    def describe(self, card: ModelCard) -> str:
        """See `OutputExport`."""
        return f"boxes of {len(card.classes)} classes for each region"

    def find(self, shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
        """See `OutputExport`."""
        wanted = [(len(card.classes), BOX), (len(card.classes),)]
        return Heads(FORM, tuple(shapes)) if [s[1:] for s in shapes.values()] == wanted else None

    def write(self, graph: Graph, heads: Heads, card: ModelCard) -> None:
        """See `OutputExport`; a box with no area has a score of 0, because Paddle leaves it out."""
        del card
        boxes, scores = (Value(graph, name, np.dtype(np.float32)) for name in heads.names)
        low, high = boxes.split(2, axis=2)
        sides = (high - low).reduce("Min", 2, keep=False)
        boxes.unsqueeze(0).rename("boxes")
        (scores * (sides > 0.0).cast(np.float32)).unsqueeze(0).rename("scores")

    def read(self, arrays: Arrays, heads: Heads, card: ModelCard) -> Arrays:
        """See `OutputExport`."""
        del card
        boxes, scores = (arrays[name] for name in heads.names)
        sides = (boxes[..., 2:] - boxes[..., :2]).min(axis=-1)
        return {"boxes": boxes[None], "scores": (scores * (sides > 0))[None]}

    def match(self, expected: Arrays, found: Arrays) -> tuple[Arrays, Arrays]:
        """See `OutputExport`; each one's best boxes beside the nearest of the other."""
        there, back = _nearest(expected, found), _nearest(found, expected)
        return (
            {name: np.concatenate([there[0][name], back[1][name]]) for name in BARS},
            {name: np.concatenate([there[1][name], back[0][name]]) for name in BARS},
        )

    def find_people(self, image: Value, network: Graph, card: ModelCard) -> Pair:
        """See `BoxExport`."""
        _places.demand_resize(card, ("pad",))
        tensor, scale = pad(image, card.picture)
        return _proposals.select(insert(network, tensor), image, scale, card, PRESET)


def _nearest(these: Arrays, others: Arrays) -> tuple[dict[str, F32], dict[str, F32]]:
    """Return the best boxes (K, 4) and scores (K,) of the first, and of the second the nearest to each."""
    boxes, scores = (these[name][0] for name in BARS)
    other_boxes, other_scores = (others[name][0] for name in BARS)
    best = np.argsort(-scores, axis=None, kind="stable")[:COMPARED]
    regions, classes = np.unravel_index(best, scores.shape)
    apart = np.abs(other_boxes[:, classes] - boxes[regions, classes]).max(axis=-1) / BARS["boxes"]
    other = np.abs(other_scores[:, classes] - scores[regions, classes]) / BARS["scores"]
    near = np.maximum(apart, other).argmin(axis=0)
    return (
        {"boxes": boxes[regions, classes], "scores": scores[regions, classes]},
        {"boxes": other_boxes[near, classes], "scores": other_scores[near, classes]},
    )


EXPORT: Final = ProposalExport()
