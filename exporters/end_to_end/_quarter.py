"""The quarter step inside the graph: `decode_quarter_steps` of the core."""

from __future__ import annotations

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.heatmaps import QUARTER, REACH
from pose_onnx.exporters.end_to_end._dark import find_peaks, map_size
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.presets import Preset


def decode(heatmaps: Value, card: ModelCard, preset: Preset) -> tuple[Value, Value]:
    """Find the peaks and move them by a quarter of a cell.

    Args:
        heatmaps: (N, K, h, w) float32.
        card: The keypoint model's card.
        preset: Not used here; it configures DARK.

    Returns:
        points_heatmap: (N, K, 2) float32, xy, cells.
        scores: (N, K) float32.
    """
    del preset
    joints = len(card.keypoints)
    height, width = map_size(card)
    cells, scores = find_peaks(heatmaps, card)
    middles = cells.clip(REACH, np.array([[width, height]]) - 2)  # these have neighbours on all sides
    x, y = middles.split(2, axis=1)
    here = y * width + x
    neighbours = (here + 1).join(here + width, here - 1, here - width, axis=1)
    after, before = (
        heatmaps.reshape(-1, height * width).apply("GatherElements", neighbours, axis=1).split(2, axis=1)
    )
    steps = (after - before).apply("Sign") * QUARTER
    moved = (cells - middles).cast(np.float32).apply("Abs").reduce("Max", 1)
    points = cells.cast(np.float32) + (moved > 0.0).where(0.0, steps)
    points = (scores > 0.0).where(points, 0.0)
    return points.reshape(-1, joints, 2), scores.reshape(-1, joints)
