"""The steps after a detector inside the graph: boxes in image pixels, threshold and suppression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import BOX
from pose_onnx.detector import PERSON
from pose_onnx.errors import ExportError
from pose_onnx.exporters.end_to_end._crops import CropValues
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.outputs import BoxOutput, ProposalOutput
from pose_onnx.presets import Preset

Pair = tuple[Value, Value]
"""Boxes and scores."""


def person_class(card: ModelCard) -> int:
    """Return the class for people: the one with that name, or the only one.

    Raises:
        ExportError: There are several classes, and none is for people.
    """
    if PERSON in card.classes:
        return card.classes.index(PERSON)
    if len(card.classes) == 1:
        return 0
    raise ExportError(
        f"model {card.name!r} has {len(card.classes)} classes and none is {PERSON!r}, but an end-to-end file"
        " finds people; export without --end-to-end"
    )


def size_of(image: Value) -> Value:
    """Return width and height of an (H, W, 3) image, (2,) float32."""
    return image.shape(1).join(image.shape(0), axis=0).cast(np.float32)


def select(
    boxes: Value,
    scores: Value,
    image: Value,
    card: ModelCard,
    preset: Preset,
    placed: CropValues | None = None,
) -> Pair:
    """Keep the people above a threshold, and only the best of those that overlap.

    Args:
        boxes: (1, A, 4) float32, xyxy, input pixels.
        scores: (1, A, C) float32.
        image: (H, W, 3), the picture.
        card: The model's card: how to suppress, and how many boxes to keep.
        preset: Gives the threshold. A score must be above it, not equal.
        placed: Where the picture lies in the network's input; `None` if it is stretched to it.

    Returns:
        boxes: (M, 4) float32, xyxy, image pixels, best first.
        scores: (M,) float32.
    """
    spec = cast("BoxOutput", card.output)
    people = scores.take([person_class(card)], axis=2).reshape(-1)
    size = size_of(image)
    rows = boxes.reshape(-1, BOX)
    boxes_image = _unstretched(rows, size, card) if placed is None else _unplaced(rows, placed)
    if spec.ends_inside:
        low, high = boxes_image.split(2, axis=1)
        boxes_image = low.apply("Max", 0.0).join(high.apply("Min", size - 1.0), axis=1)
    found, kept = SELECTORS[spec.nms](boxes_image, people, spec, preset.threshold)
    return found.clip(0.0, size.join(size, axis=0)), kept


def _unstretched(boxes: Value, size: Value, card: ModelCard) -> Value:
    height, width = card.picture.size
    ratio = size / np.array([width, height])
    return boxes * ratio.join(ratio, axis=0)


def _unplaced(boxes: Value, placed: CropValues) -> Value:
    origin = placed.shift / placed.scale
    exact = boxes.cast(np.float64) * (1.0 / placed.scale) - origin.join(origin, axis=1)
    return exact.cast(np.float32)


def hard(boxes: Value, scores: Value, spec: BoxOutput | ProposalOutput, threshold: float) -> Pair:
    """`pose_onnx.core.nms.select_boxes`."""
    kept = boxes.unsqueeze(0).apply(
        "NonMaxSuppression",
        scores.reshape(1, 1, -1),
        boxes.integers([spec.max_boxes]),
        boxes.constant([spec.nms_iou]),
        boxes.constant([threshold]),
        dtype=np.int64,
    )
    anchors = kept.take(2, axis=1)  # of image, class, anchor
    return boxes.take(anchors), scores.take(anchors)


def _gaussian(iou: Value, largest: Value, spec: BoxOutput) -> Value:
    return ((largest * largest - iou * iou) * spec.sigma).apply("Exp")


def _linear(iou: Value, largest: Value, _spec: BoxOutput) -> Value:
    # A box that coincides with a better one has no score left, and does not suppress others.
    hidden = largest.apply("Less", 1.0, dtype=np.bool_)
    return hidden.where((1.0 - iou) / (1.0 - largest), 1.0)


def _matrix(decay: Callable[[Value, Value, BoxOutput], Value]) -> Callable[..., Pair]:
    """Make `pose_onnx.core.nms.matrix_nms`."""

    def select(boxes: Value, scores: Value, spec: BoxOutput, threshold: float) -> Pair:
        anchors = _above(scores, threshold)
        # Add a box with a score of 0: no operator finds the maximum of an empty tensor.
        scores = scores.take(anchors).join(np.zeros(1), axis=0)
        ranked, order = scores.best(scores.shape(0))
        boxes = boxes.take(anchors).join(np.zeros((1, BOX)), axis=0).take(order)
        iou = _pixel_iou(boxes)
        better = (iou * 0.0 + 1.0).apply("Trilu", iou.integers(-1), upper=0)
        iou = iou * better
        largest = iou.reduce("Max", 1, keep=False)
        left = (better > 0.0).where(decay(iou, largest, spec), 1.0)
        lowered = ranked * left.reduce("Min", 1, keep=False)
        kept = _above(lowered, threshold)
        lowered = lowered.take(kept)
        best, order = lowered.best(lowered.shape(0).apply("Min", spec.max_boxes))
        return boxes.take(kept).take(order), best

    return select


def _above(scores: Value, threshold: float) -> Value:
    return (scores > threshold).apply("NonZero", dtype=np.int64).reshape(-1)


def _pixel_iou(boxes: Value) -> Value:
    """Return the (M, M) overlap of boxes that include the pixels of their right and bottom edges."""
    low, high = boxes.split(2, axis=1)
    span = high.unsqueeze(1).apply("Min", high) - low.unsqueeze(1).apply("Max", low)
    touch = span.apply("GreaterOrEqual", 0.0, dtype=np.bool_).cast(np.float32)
    shared = _product(span + 1.0) * _product(touch)
    areas = _product((high - low + 1.0).apply("Max", 0.0))
    return shared / (areas.unsqueeze(1) + areas - shared)


def _product(sides: Value) -> Value:
    return sides.reduce("Prod", -1, keep=False)


SELECTORS: Final[Mapping[str, Callable[[Value, Value, BoxOutput, float], Pair]]] = MappingProxyType(
    {"hard": hard, "matrix_gaussian": _matrix(_gaussian), "matrix_linear": _matrix(_linear)}
)
"""As `pose_onnx.outputs.boxes.SELECTORS`."""
