"""Decodes maps of centres, sizes and offsets to people inside the graph, as `CenterOutput` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.end_to_end._boxes import Pair, person_class, size_of
from pose_onnx.exporters.end_to_end._crops import CropValues
from pose_onnx.exporters.end_to_end._grid import Grid
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.outputs import CenterOutput
from pose_onnx.presets import Preset


def select(
    heads: Mapping[str, Value], image: Value, placed: CropValues, card: ModelCard, preset: Preset
) -> Pair:
    """Find the people whose centre is a peak above a threshold.

    Args:
        heads: (1, C, h, w) float32 each, by name.
        image: (H, W, 3), the picture.
        placed: Where it lies in the network's input.
        card: The model's card.
        preset: Gives the threshold. A score must be above it, not equal.

    Returns:
        boxes: (M, 4) float32, xyxy, image pixels, best first, inside the image.
        scores: (M,) float32.
    """
    spec = cast("CenterOutput", card.output)
    height, width = (side // spec.stride for side in card.picture.size)
    grid = Grid(height, width, min(spec.max_boxes, height * width))
    best, cells = grid.peaks(heads["centers"].take([person_class(card)], axis=1), 1)
    scores = best.reshape(-1)
    factor = float(spec.stride) / placed.scale
    origin = placed.shift / placed.scale
    size = size_of(image)
    corners = grid.ends(cells.reshape(-1), heads["sizes"], heads["offsets"])
    low, high = (
        (corner.cast(np.float64) * factor - origin).cast(np.float32).clip(0.0, size) for corner in corners
    )
    is_person = (scores > preset.threshold).cast(np.int64)
    people = is_person.apply("ReduceSum", is_person.integers([0]), keepdims=1)
    return low.join(high, axis=1).first(people), scores.first(people)
