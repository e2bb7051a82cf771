"""Logits of a person's action, one for each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, Image
from pose_onnx.errors import InputError
from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.outputs._export import Arrays, Comparison, FixedRows, Heads, Shape
from pose_onnx.outputs.action_logits import LOGITS

if TYPE_CHECKING:
    from pose_onnx.evaluation import Dataset
    from pose_onnx.exporters.end_to_end._values import Value


TABLE_RANK: Final = 2  # (N, C)


class ActionLogitsExport(FixedRows):
    """See `OutputExport`; the only form is one tensor (N, C). Photos show no actions."""

    # Two of PaddleVideo's own ways to run ST-GCN differ by 1e-6 in the logits, which are of order 1 to 10.
    bars: Mapping[str, Mapping[str, float]] = MappingProxyType(
        {"fp32": {LOGITS: 1e-5}, "fp16": {LOGITS: 3e-2}}
    )
    sample = "windows of poses"
    meanings: Mapping[str, str] = MappingProxyType({})

    def describe(self, card: ModelCard) -> str:
        """See `OutputExport`."""
        return f"logits of {len(card.classes)} classes"

    def find(self, shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
        """See `OutputExport`."""
        # PaddleVideo computes the number of classes in the graph, so it is checked later, when it is known.
        tables = {name: shape[1] for name, shape in shapes.items() if len(shape) == TABLE_RANK}
        found = [name for name, size in tables.items() if size == len(card.classes) or isinstance(size, str)]
        return Heads(LOGITS, (found[0],)) if len(found) == 1 else None

    def write(self, graph: Graph, heads: Heads, card: ModelCard) -> None:
        """See `OutputExport`."""
        del card
        graph.nodes.append(Node("Identity", [heads.names[0]], [LOGITS]))

    def read(self, arrays: Arrays, heads: Heads, card: ModelCard) -> Arrays:
        """See `OutputExport`."""
        del card
        return {LOGITS: arrays[heads.names[0]]}

    def samples(self, photos: list[Path], card: ModelCard) -> Iterator[F32]:
        """Refuse: photos contain no windows of poses."""
        del photos
        _refuse(card, "calibrated with photos")

    def damage(self, expected: Arrays, found: Arrays) -> float:
        """Return the squared error of the logits."""
        return float(np.square(found[LOGITS] - expected[LOGITS]).mean())

    def measure(self, file: Path, dataset: Dataset) -> float:
        """Refuse: COCO has no annotated actions."""
        _refuse(dataset, f"({file.name}) measured on COCO's pictures")

    def end_to_end(self, image: Value, network: Graph, card: ModelCard) -> None:
        """Refuse: the input is not a picture."""
        del image, network
        _refuse(card, "made into an end-to-end file, which starts with a picture")

    def compare(self, file: Path, network: Path, image_bgr: Image) -> Comparison:
        """Refuse: the input is not a picture."""
        del network, image_bgr
        _refuse(file, "given a picture")


def _refuse(what: object, reason: str) -> NoReturn:
    name = what.name if isinstance(what, ModelCard | Path) else "an action model"
    raise InputError(f"{name!r} takes poses and cannot be {reason}; choose the precision fp32 or fp16")


EXPORT: Final = ActionLogitsExport()
