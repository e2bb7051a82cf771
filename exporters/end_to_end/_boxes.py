"""Threshold and non-maximum suppression inside the graph: `select_boxes` of the core."""

from __future__ import annotations

from typing import cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.detector import PERSON
from pose_onnx.errors import ExportError
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.outputs import BoxOutput
from pose_onnx.presets import Preset


def person_class(card: ModelCard) -> int:
    """Return the class that is people: the one of that name, or the only one.

    Raises:
        ExportError: There are several, and none is people.
    """
    if PERSON in card.classes:
        return card.classes.index(PERSON)
    if len(card.classes) == 1:
        return 0
    raise ExportError(
        f"model {card.name!r} has {len(card.classes)} classes and none is {PERSON!r}, but an end-to-end file"
        " finds people; export without --end-to-end"
    )


def select(boxes: Value, scores: Value, card: ModelCard, preset: Preset) -> tuple[Value, Value]:
    """Keep the people above a threshold, and of those that overlap the best.

    Args:
        boxes: (1, A, 4) float32, xyxy.
        scores: (1, A, C) float32.
        card: Overlap and number that are kept.
        preset: Its threshold; a score must be above, not at it.

    Returns:
        boxes: (M, 4) float32, xyxy, best first.
        scores: (M,) float32.
    """
    spec = cast("BoxOutput", card.output)
    people = scores.take([person_class(card)], axis=2).transpose(0, 2, 1)
    kept = boxes.apply(
        "NonMaxSuppression",
        people,
        boxes.integers([spec.max_boxes]),
        boxes.constant([spec.nms_iou]),
        boxes.constant([preset.threshold]),
        dtype=np.int64,
    )
    anchors = kept.take(2, axis=1)  # of image, class, anchor
    return boxes.reshape(-1, 4).take(anchors), people.reshape(-1).take(anchors)


def to_image(boxes_input: Value, image: Value, card: ModelCard) -> Value:
    """Take (M, 4) boxes from input pixels to pixels of the (H, W, 3) image, and end them at its border."""
    height, width = card.picture.size
    image_size = image.shape(1).join(image.shape(0), axis=0).cast(np.float32)  # x, y
    ratio = image_size / np.array([width, height])
    return (boxes_input * ratio.join(ratio, axis=0)).clip(0.0, image_size.join(image_size, axis=0))
