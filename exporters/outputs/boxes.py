"""Boxes and scores of a detector; distributions of box edges are decoded in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import BOX, F32, Image
from pose_onnx.core.opencv import cv2
from pose_onnx.detector import Detector, detector_input
from pose_onnx.exporters.decode import BoxDecode
from pose_onnx.exporters.end_to_end import _boxes, _places, _sampling
from pose_onnx.exporters.end_to_end._crops import CropValues
from pose_onnx.exporters.end_to_end._network import PRESET, add_output, insert, run_on_picture
from pose_onnx.exporters.end_to_end._normalize import normalize
from pose_onnx.exporters.end_to_end._resize import resize_cubic
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.outputs._export import Arrays, Comparison, FixedRows, Heads, Shape
from pose_onnx.image_files import load_image
from pose_onnx.outputs import BoxDistributionOutput, BoxOutput
from pose_onnx.outputs.box_distributions import grid_sizes
from pose_onnx.runtimes import backend_for

if TYPE_CHECKING:
    from pose_onnx.evaluation import Dataset

BOX_RANK: Final = 3  # (N, A, 4) and the like
DECODED: Final = "decoded"
"""Boxes (N, A, 4) in network pixels, and scores."""
DISTRIBUTION: Final = "distribution"
"""Class probabilities (N, A_l, C) of each level, then box-edge logits (N, A_l, 4 * bins) of each level."""

_SEEN: Final = 0.2
"""Boxes with a lower score are left out of the comparison of int8 with float32."""
_RESIZED_BARS: Final[Mapping[bool, Mapping[str, float]]] = MappingProxyType(
    {
        True: MappingProxyType({"boxes": 0.5, "scores": 2e-3}),
        False: MappingProxyType({"boxes": 2.0, "scores": 2e-2}),
    }
)
"""In image pixels and probability, by whether OpenCV uses Intel's IPP: see end_to_end/_resize.py."""


class BoxExport(FixedRows):
    """See `OutputExport`.

    Attributes:
        end_to_end_bars: Largest differences allowed between an end-to-end file and the core.
    """

    bars: Mapping[str, Mapping[str, float]] = MappingProxyType(
        {"fp32": {"boxes": 1e-3, "scores": 5e-6}, "fp16": {"boxes": 1.0, "scores": 1e-2}}
    )
    sample = "photos"
    meanings: Mapping[str, str] = MappingProxyType(
        {"boxes": "x1, y1, x2, y2 of each person in image pixels.", "scores": "0 to 1."}
    )

    end_to_end_bars = _RESIZED_BARS[cv2.ipp.useIPP()]

    def describe(self, card: ModelCard) -> str:
        """See `OutputExport`."""
        return f"boxes of {len(card.classes)} classes"

    def find(self, shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
        """See `OutputExport`."""
        tables = {n: s for n, s in shapes.items() if len(s) == BOX_RANK}
        levels = len(_spec(card).strides)
        finder = {2: _find_decoded, 2 * levels: _find_distribution}.get(len(tables))
        return finder(tables, card) if finder else None

    def write(self, graph: Graph, heads: Heads, card: ModelCard) -> None:
        """See `OutputExport`."""
        _WRITERS[heads.form](graph, heads, card)

    def read(self, arrays: Arrays, heads: Heads, card: ModelCard) -> Arrays:
        """See `OutputExport`."""
        if heads.form == DECODED:
            boxes, scores = (arrays[name] for name in heads.names)
            return {"boxes": boxes, "scores": scores.transpose(0, 2, 1) if heads.class_first else scores}
        strides, bins = _spec(card).strides, _spec(card).bins
        levels = len(strides)
        raw = BoxDistributionOutput(heads.names[:levels], heads.names[levels:], strides, bins)
        boxes, scores = raw.decode(arrays, card.picture.size)
        return {"boxes": boxes, "scores": scores}

    def samples(self, photos: list[Path], card: ModelCard) -> Iterator[F32]:
        """See `OutputExport`."""
        for photo in photos:
            yield detector_input(load_image(photo), card.picture)[0][0]

    def damage(self, expected: Arrays, found: Arrays) -> float:
        """Return the mean change of scores, plus that of box edges in units of box sizes."""
        best = expected["scores"].max(axis=-1)
        seen = best >= min(_SEEN, float(best.max()))
        scores = np.abs(found["scores"] - expected["scores"])[seen].mean()
        boxes = expected["boxes"][seen]
        sizes = np.maximum(np.ptp(boxes.reshape(-1, 2, 2), axis=1).mean(axis=-1), 1)
        edges = np.abs(found["boxes"][seen] - boxes).mean(axis=-1) / sizes
        return float(scores + edges.mean())

    def measure(self, file: Path, dataset: Dataset) -> float:
        """Return the average precision of people's boxes."""
        from pose_onnx.evaluation import BOX_FLOOR  # noqa: PLC0415 (needs the extra "eval")
        from pose_onnx.exporters.quantize.measure import box_ap  # noqa: PLC0415 (likewise)

        with Detector(file, backend=backend_for(file), threshold=BOX_FLOOR) as detector:
            detector.select_people()
            return box_ap(detector, dataset)

    def end_to_end(self, image: Value, network: Graph, card: ModelCard) -> None:
        """Write a graph with the input `image` and the outputs `boxes` and `scores`, best first."""
        boxes, scores = self.find_people(image, network, card)
        add_output(boxes, "boxes", ("M", BOX))
        add_output(scores, "scores", ("M",))

    def find_people(self, image: Value, network: Graph, card: ModelCard) -> _boxes.Pair:
        """Return boxes (M, 4), image pixels, and scores (M,) of the people in an (H, W, 3) image."""
        pixels, placed = _INPUTS.get(card.picture.resize, _placed)(image, card)
        outputs = insert(network, normalize(pixels, card.picture))
        return _boxes.select(outputs["boxes"], outputs["scores"], image, card, PRESET, placed)

    def compare(self, file: Path, network: Path, image_bgr: Image) -> Comparison:
        """See `OutputExport`."""
        with Detector(network, threads=1) as detector:
            detector.select_people()
            expected = detector(image_bgr)
        return Comparison(
            run_on_picture(file, image_bgr),
            {"boxes": expected.boxes, "scores": expected.scores},
            self.end_to_end_bars,
        )


def _spec(card: ModelCard) -> BoxOutput:
    return cast("BoxOutput", card.output)


def _stretched(image: Value, card: ModelCard) -> tuple[Value, None]:
    return resize_cubic(image, card.picture.size), None


def _placed(image: Value, card: ModelCard) -> tuple[Value, CropValues]:
    placed = _places.place(image, card)
    return _sampling.sample(image, placed, card.picture.size), placed


_INPUTS: Final[Mapping[str, Callable[[Value, ModelCard], tuple[Value, CropValues | None]]]] = (
    MappingProxyType({"stretch": _stretched})
)
"""By resize mode: from an (H, W, 3) image to the input's pixels and where the image lies in them."""


def _find_decoded(tables: Mapping[str, Shape], card: ModelCard) -> Heads | None:
    boxes, scores = tables
    if tables[boxes][-1] != BOX:
        boxes, scores = scores, boxes
    classes = len(card.classes)
    if tables[boxes][-1] != BOX or classes not in tables[scores][1:]:
        return None
    return Heads(DECODED, (boxes, scores), class_first=tables[scores][-1] != classes)


def _find_distribution(tables: Mapping[str, Shape], card: ModelCard) -> Heads | None:
    spec = _spec(card)
    scores, edges = list(tables)[: len(spec.strides)], list(tables)[len(spec.strides) :]
    fits = all(tables[n][-1] == len(card.classes) for n in scores) and all(
        tables[n][-1] == BOX * spec.bins for n in edges
    )
    return Heads(DISTRIBUTION, (*scores, *edges)) if fits else None


def _write_decoded(graph: Graph, heads: Heads, _card: ModelCard) -> None:
    boxes, scores = heads.names
    graph.nodes.append(Node("Identity", [boxes], ["boxes"]))
    if heads.class_first:
        graph.nodes.append(Node("Transpose", [scores], ["scores"], {"perm": [0, 2, 1]}))
    else:
        graph.nodes.append(Node("Identity", [scores], ["scores"]))


def _write_distribution(graph: Graph, heads: Heads, card: ModelCard) -> None:
    """Append nodes that compute boxes from the expectations over the bins (GFL, arXiv 2006.04388)."""
    decode = BoxDecode.of(_spec(card))
    levels = len(decode.strides)
    centres, signed = decode.constants(grid_sizes(decode.strides, card.picture.size))
    anchors = len(centres)
    steps = np.arange(decode.bins, dtype=np.float32)[:, None]
    split = graph.constant(np.array([-1, anchors, BOX, decode.bins]), "decode.bins_shape")
    joined = graph.constant(np.array([-1, anchors, BOX]), "decode.boxes_shape")
    graph.nodes += [
        Node("Concat", [*heads.names[:levels]], ["scores"], {"axis": 1}),
        Node("Concat", [*heads.names[levels:]], ["decode.logits"], {"axis": 1}),
        Node("Reshape", ["decode.logits", split], ["decode.bins"]),
        Node("Softmax", ["decode.bins"], ["decode.weights"], {"axis": -1}),
        Node("MatMul", ["decode.weights", graph.constant(steps, "decode.steps")], ["decode.means"]),
        Node("Reshape", ["decode.means", joined], ["decode.distances"]),
        Node("Mul", ["decode.distances", graph.constant(signed, "decode.strides")], ["decode.offsets"]),
        Node("Add", ["decode.offsets", graph.constant(centres, "decode.centres")], ["boxes"]),
    ]


_WRITERS: Final = MappingProxyType({DECODED: _write_decoded, DISTRIBUTION: _write_distribution})
EXPORT: Final = BoxExport()
