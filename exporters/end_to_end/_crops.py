"""Where each person's crop lies, inside the graph: `full_image_crops` of the core in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.crops import BOX_PADDING
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.outputs import HeatmapOutput


@dataclass(frozen=True, slots=True)
class CropValues:
    """As `pose_onnx.core.crops.Crops`. The maps only scale and shift, so two numbers per axis are enough.

    Attributes:
        scale: (N, 1) float64, input pixels per image pixel.
        shift: (N, 2) float64, xy: `points_input = scale * points_image + shift`.
        center: (N, 2) float64, xy, image pixels, of the box as it was given.
        valid: (N, 1) bool, false where a box has no area.
    """

    scale: Value
    shift: Value
    center: Value
    valid: Value


def crop_geometry(boxes_image: Value, card: ModelCard) -> CropValues:
    """Crop each box from the full image.

    Args:
        boxes_image: (N, 4) float32, xyxy, image pixels.
        card: The keypoint model's card.
    """
    height, width = card.picture.size
    low, high = boxes_image.cast(np.float64).split(2, axis=1)
    valid = (high - low).reduce("Min", 1) > 0.0
    low_round, high_round = low.apply("Round"), high.apply("Round")
    size_x, size_y = (high_round - low_round).apply("Max", 1.0).split(2, axis=1)
    scale = width / (size_x.apply("Max", size_y * width / height) * BOX_PADDING)
    middle_input = scale.constant([[(width - 1) / 2, (height - 1) / 2]])
    shift = middle_input - scale * ((low_round + high_round) / 2)
    return CropValues(scale, shift, (low + high) / 2, valid)


def to_image(points_heatmap: Value, crops: CropValues, card: ModelCard) -> Value:
    """Convert (N, K, 2) float32 points from heatmap cells to image pixels; the box's centre if not valid."""
    spec = cast("HeatmapOutput", card.output)
    height, width = (side // spec.stride for side in card.picture.size)
    cell_input = np.array(spec.cell_size(height, width)) * spec.stride
    points_input = points_heatmap.cast(np.float64) * cell_input
    points_image = (points_input - crops.shift.unsqueeze(1)) / crops.scale.unsqueeze(1)
    placed = crops.valid.unsqueeze(1).where(points_image, crops.center.unsqueeze(1))
    return placed.cast(np.float32)
