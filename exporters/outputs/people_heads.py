"""Heads of a network that finds all people and their joints in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import BOX, F32, Image
from pose_onnx.detector import detector_input
from pose_onnx.exporters.end_to_end import _people, _places, _sampling
from pose_onnx.exporters.end_to_end._network import add_output, insert, run_on_picture
from pose_onnx.exporters.end_to_end._normalize import normalize
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.outputs._export import Arrays, Comparison, FixedRows, Heads, Shape
from pose_onnx.image_files import load_image
from pose_onnx.one_pass import THRESHOLD, OnePassEstimator
from pose_onnx.outputs import PeopleOutput
from pose_onnx.outputs.people_heads import ALL, channels_of
from pose_onnx.runtimes import backend_for

if TYPE_CHECKING:
    from pose_onnx.evaluation import Dataset

FORM: Final = "people_heads"
HEAD_RANK: Final = 4  # (N, C, h, w)
_END_TO_END_BARS: Final[Mapping[str, float]] = MappingProxyType(
    {"boxes": 0.05, "scores": 1e-4, "keypoints": 0.05, "keypoint_scores": 1e-4}
)
"""In image pixels and scores. Only rounding in the normalisation differs."""
_FLOOR: Final = 0.01
"""People with a lower score have no visible effect on average precision."""


class PeopleExport(FixedRows):
    """See `OutputExport`; the only form is one tensor for each head, in the card's order."""

    bars: Mapping[str, Mapping[str, float]] = MappingProxyType(
        {
            "fp32": MappingProxyType(dict.fromkeys(ALL, 1e-4)),
            "fp16": MappingProxyType(dict.fromkeys(ALL, 2e-2)),
        }
    )
    sample = "photos"
    meanings: Mapping[str, str] = MappingProxyType(
        {
            "boxes": "x1, y1, x2, y2 of each person in image pixels.",
            "scores": "0 to 1, of each person.",
            "keypoints": "x and y of each keypoint in image pixels.",
            "keypoint_scores": "0 to 1.",
        }
    )

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
            yield detector_input(load_image(photo), card.picture)[0][0]

    def damage(self, expected: Arrays, found: Arrays) -> float:
        """Return the sum over the heads of their squared errors, each relative to its variance."""
        errors = [np.square(found[name] - head).mean() / head.var() for name, head in expected.items()]
        return float(sum(errors))

    def measure(self, file: Path, dataset: Dataset) -> float:
        """Return the average precision of the keypoints of the people that the model finds."""
        # These need the extra "eval".
        from pose_onnx.evaluation import InPictures  # noqa: PLC0415
        from pose_onnx.exporters.quantize.measure import keypoint_ap  # noqa: PLC0415

        with OnePassEstimator(pose=file, backend=backend_for(file), threshold=_FLOOR) as model:
            return keypoint_ap(InPictures(model), model.card, dataset)

    def end_to_end(self, image: Value, network: Graph, card: ModelCard) -> None:
        """Write a graph with the input `image`; people above the model's threshold come out, best first."""
        spec, joints = cast("PeopleOutput", card.output), len(card.keypoints)
        placed = _places.place(image, card)
        pixels = _sampling.sample(image, placed, card.picture.size)
        heads = insert(network, normalize(pixels, card.picture))
        found = _people.to_image(_people.decode(heads, card), placed, spec.stride)
        is_person = (found.scores > THRESHOLD).cast(np.int64)
        people = is_person.apply("ReduceSum", is_person.integers([0]), keepdims=1)
        add_output(found.boxes.first(people), "boxes", ("M", BOX))
        add_output(found.scores.first(people), "scores", ("M",))
        add_output(found.joints.first(people), "keypoints", ("M", joints, 2))
        add_output(found.joint_scores.first(people), "keypoint_scores", ("M", joints))

    def compare(self, file: Path, network: Path, image_bgr: Image) -> Comparison:
        """See `OutputExport`."""
        with OnePassEstimator(pose=network, threads=1) as model:
            poses = model(image_bgr)
        expected = {
            "boxes": poses.boxes,
            "scores": poses.box_scores,
            "keypoints": poses.keypoints,
            "keypoint_scores": poses.scores,
        }
        return Comparison(run_on_picture(file, image_bgr), expected, _END_TO_END_BARS)


EXPORT: Final = PeopleExport()
