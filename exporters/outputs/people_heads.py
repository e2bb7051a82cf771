"""Heads of a network that finds all people and their joints in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, Image
from pose_onnx.detector import detector_tensor
from pose_onnx.errors import ExportError
from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.outputs._export import Arrays, Comparison, Heads, Shape
from pose_onnx.image_files import load_image
from pose_onnx.one_pass import OnePassModel
from pose_onnx.outputs.people_heads import ALL, channels_of
from pose_onnx.runtimes import backend_for

if TYPE_CHECKING:
    from pose_onnx.evaluation import Dataset
    from pose_onnx.exporters.end_to_end._values import Value

FORM: Final = "people_heads"
HEAD_RANK: Final = 4  # (N, C, h, w)
_FLOOR: Final = 0.01
"""People with a lower score change no average precision that shows."""


class PeopleExport:
    """See `OutputExport`; the only form is one tensor for each head, in the card's order."""

    bars: Mapping[str, Mapping[str, float]] = MappingProxyType(
        {
            "fp32": MappingProxyType(dict.fromkeys(ALL, 1e-4)),
            "fp16": MappingProxyType(dict.fromkeys(ALL, 2e-2)),
        }
    )
    sample = "photos"
    meanings: Mapping[str, str] = MappingProxyType({})

    def describe(self, card: ModelCard) -> str:
        """See `OutputExport`."""
        return f"{len(card.output_names)} heads for people with {len(card.keypoints)} keypoints"

    def find(self, shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
        """See `OutputExport`."""
        maps = {name: shape for name, shape in shapes.items() if len(shape) == HEAD_RANK}
        wanted = [channels_of(name, len(card.keypoints)) for name in card.output_names]
        return Heads(FORM, tuple(maps)) if [shape[1] for shape in maps.values()] == wanted else None

    def write(self, graph: Graph, heads: Heads, card: ModelCard) -> None:
        """See `OutputExport`."""
        graph.nodes += [
            Node("Identity", [found], [name])
            for found, name in zip(heads.names, card.output_names, strict=True)
        ]

    def read(self, arrays: Arrays, heads: Heads, card: ModelCard) -> Arrays:
        """See `OutputExport`."""
        return {name: arrays[found] for found, name in zip(heads.names, card.output_names, strict=True)}

    def samples(self, photos: list[Path], card: ModelCard) -> Iterator[F32]:
        """See `OutputExport`."""
        for photo in photos:
            yield detector_tensor(load_image(photo), card.picture)[0]

    def damage(self, expected: Arrays, found: Arrays) -> float:
        """Return the sum over the heads of their squared errors, each relative to its variance."""
        errors = [np.square(found[name] - head).mean() / head.var() for name, head in expected.items()]
        return float(sum(errors))

    def measure(self, file: Path, dataset: Dataset) -> float:
        """Return the average precision of the keypoints of the people that the model finds."""
        from pose_onnx.exporters.quantize.measure import people_ap  # noqa: PLC0415 (needs the extra "eval")

        with OnePassModel(file, backend=backend_for(file), threshold=_FLOOR) as model:
            return people_ap(model, dataset)

    def end_to_end(self, image: Value, network: Graph, card: ModelCard) -> None:
        """Refuse: the peak search is not written as a graph yet."""
        del image, network
        raise ExportError(
            f"{card.name!r} finds people in one pass, and end-to-end files of such models cannot be written;"
            " leave out --end-to-end"
        )

    def compare(self, file: Path, network: Path, image_bgr: Image) -> Comparison:
        """Refuse likewise."""
        del network, image_bgr
        raise ExportError(f"{str(file)!r} cannot be an end-to-end file of a one-pass model: none are written")


EXPORT: Final = PeopleExport()
