"""The steps after a two-stage detector inside the graph: one class, threshold and suppression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import BOX
from pose_onnx.exporters.end_to_end._boxes import Pair, hard, person_class, size_of
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.outputs import ProposalOutput
from pose_onnx.presets import Preset


def select(outputs: Mapping[str, Value], image: Value, scale: Value, card: ModelCard, preset: Preset) -> Pair:
    """Keep the people above a threshold, and only the best of those that overlap.

    Args:
        outputs: `boxes` (1, R, C, 4), xyxy, input pixels, and `scores` (1, R, C), float32.
        image: (H, W, 3), the picture.
        scale: (1,) float32, image pixels per input pixel.
        card: The model's card: how many boxes to keep, and which of those that overlap.
        preset: Gives the threshold. A score must be above it, not equal.

    Returns:
        boxes: (M, 4) float32, xyxy, image pixels, best first, inside the image.
        scores: (M,) float32.
    """
    person = [person_class(card)]
    boxes = outputs["boxes"].take(person, axis=2).reshape(-1, BOX) * scale
    scores = outputs["scores"].take(person, axis=2).reshape(-1)
    found, kept = hard(boxes, scores, cast("ProposalOutput", card.output), preset.threshold)
    size = size_of(image)
    return found.clip(0.0, size.join(size, axis=0)), kept
