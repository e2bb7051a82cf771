"""Heatmaps of one person's crop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from onnx import TensorProto

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import BOX, F32, Image
from pose_onnx.core.keypoints import keypoint_input
from pose_onnx.detector import Detector
from pose_onnx.exporters.end_to_end import _crops, _dark, _quarter, _sampling, _udp
from pose_onnx.exporters.end_to_end._network import PRESET, add_output, insert, run_on_picture
from pose_onnx.exporters.end_to_end._normalize import normalize
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, Node, TensorInfo
from pose_onnx.exporters.outputs._export import Arrays, Comparison, FixedRows, Heads, Shape
from pose_onnx.image_files import load_image
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.outputs import HeatmapOutput
from pose_onnx.outputs.heatmaps import DARK, HEATMAPS, QUARTER, UDP
from pose_onnx.pairs import DEFAULT_DETECTOR
from pose_onnx.poses import JOINT_THRESHOLD
from pose_onnx.presets import Preset
from pose_onnx.runtimes import backend_for

if TYPE_CHECKING:
    from pose_onnx.evaluation import Dataset

HEATMAP_RANK: Final = 4  # (N, K, h, w)
# Parts of the photo, x1, y1, x2, y2, in which to look for people: one of them reaches outside.
_PARTS: Final = ((0.0, 0.0, 1.0, 1.0), (0.21, 0.13, 0.77, 0.98), (-0.1, 0.3, 0.5, 1.2))
_END_TO_END_BARS: Final = MappingProxyType({"keypoints": 0.05, "scores": 1e-4})
"""In image pixels for joints with a score of 0.2 or more, and in heatmap units."""
_DECODERS: Final[Mapping[str, Callable[[Value, ModelCard, Preset], tuple[Value, Value]]]] = MappingProxyType(
    {DARK: _dark.decode, QUARTER: _quarter.decode, UDP: _udp.decode}
)


class HeatmapExport(FixedRows):
    """See `OutputExport`; the only form is one tensor (N, K, h, w)."""

    bars: Mapping[str, Mapping[str, float]] = MappingProxyType(
        {"fp32": {HEATMAPS: 5e-6}, "fp16": {HEATMAPS: 3e-3}}
    )
    sample = "people that the built-in detector finds"
    meanings: Mapping[str, str] = MappingProxyType(
        {
            "boxes": "x1, y1, x2, y2 of each person in image pixels.",
            "keypoints": "x, y of each person's joints in image pixels.",
            "scores": "0 to 1.",
        }
    )

    def describe(self, card: ModelCard) -> str:
        """See `OutputExport`."""
        return f"{len(card.keypoints)} keypoints"

    def find(self, shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
        """See `OutputExport`."""
        maps = [n for n, s in shapes.items() if len(s) == HEATMAP_RANK and s[1] == len(card.keypoints)]
        return Heads(HEATMAPS, (maps[0],)) if len(maps) == 1 else None

    def write(self, graph: Graph, heads: Heads, card: ModelCard) -> None:
        """See `OutputExport`."""
        del card
        graph.nodes.append(Node("Identity", [heads.names[0]], [HEATMAPS]))

    def read(self, arrays: Arrays, heads: Heads, card: ModelCard) -> Arrays:
        """See `OutputExport`."""
        del card
        return {HEATMAPS: arrays[heads.names[0]]}

    def samples(self, photos: list[Path], card: ModelCard) -> Iterator[F32]:
        """See `OutputExport`; each person that the built-in detector finds is one sample."""
        stride = cast("HeatmapOutput", card.output).stride
        with Detector(DEFAULT_DETECTOR, preset=PRESET) as detector:
            for photo in photos:
                pixels = load_image(photo)
                size = (pixels.shape[0], pixels.shape[1])
                crops = PRESET.crops(detector(pixels).boxes, size, card.picture.size, stride)
                yield from keypoint_input(pixels, crops, card.picture)

    def damage(self, expected: Arrays, found: Arrays) -> float:
        """Return the squared error of the heatmaps, relative to their sum of squares."""
        before, after = expected[HEATMAPS], found[HEATMAPS]
        return float(np.square(after - before).mean() / np.square(before).mean())

    def measure(self, file: Path, dataset: Dataset) -> float:
        """Return the average precision of keypoints in annotated boxes."""
        # These need the extra "eval".
        from pose_onnx.evaluation import InBoxes, TruthBoxes  # noqa: PLC0415
        from pose_onnx.exporters.quantize.measure import keypoint_ap  # noqa: PLC0415

        with KeypointModel(file, backend=backend_for(file)) as model:
            return keypoint_ap(InBoxes(TruthBoxes(dataset), model), model.card, dataset)

    def end_to_end(self, image: Value, network: Graph, card: ModelCard) -> None:
        """Write a graph with the inputs `image` and `boxes` and the outputs `keypoints` and `scores`."""
        graph, joints = image.graph, len(card.keypoints)
        graph.inputs.append(TensorInfo("boxes", TensorProto.FLOAT, ("N", BOX)))
        boxes = Value(graph, "boxes", np.dtype(np.float32))
        people = boxes.shape(0)
        # Few networks run on an empty batch: if there are no people, a dummy image is run and its result
        # dropped.
        boxes = boxes.join(boxes.constant([[0, 0, 1, 1]]).first(1 - people), axis=0)
        crops = _crops.crop_geometry(boxes, card)
        pixels = _sampling.sample(image, crops, card.picture.size)
        outputs = insert(network, normalize(pixels, card.picture))
        refine = cast("HeatmapOutput", card.output).refine
        points_heatmap, scores = _DECODERS[refine](outputs[HEATMAPS], card, PRESET)
        keypoints = _crops.to_image(points_heatmap, crops, card)
        add_output(keypoints.first(people), "keypoints", ("N", joints, 2))
        add_output((scores * crops.valid.cast(np.float32)).first(people), "scores", ("N", joints))

    def compare(self, file: Path, network: Path, image_bgr: Image) -> Comparison:
        """See `OutputExport`."""
        height, width, _ = image_bgr.shape
        boxes = (np.array(_PARTS) * (width, height, width, height)).astype(np.float32)
        with KeypointModel(network, threads=1) as model:
            expected = model(image_bgr, boxes)
        found = run_on_picture(file, image_bgr, boxes=boxes)
        sure = expected.scores >= JOINT_THRESHOLD
        return Comparison(
            {"keypoints": found["keypoints"][sure], "scores": found["scores"]},
            {"keypoints": expected.keypoints[sure], "scores": expected.scores},
            _END_TO_END_BARS,
        )


EXPORT: Final = HeatmapExport()
