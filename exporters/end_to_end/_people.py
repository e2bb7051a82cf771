"""Decodes the heads of a one-pass network to people inside the graph: `decode_people` of the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import POINT
from pose_onnx.core.people import CELL_OFFSET, PEAK_DISTANCE, PEAK_SCORE
from pose_onnx.exporters.end_to_end._crops import CropValues
from pose_onnx.exporters.end_to_end._grid import Grid
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.outputs import PeopleOutput

_NOWHERE: Final = -10000.0
"""Position given to peaks that do not count, as in the core."""


class Found(NamedTuple):
    """K people, best first; the core's `People`, with fillers of score 0 after them.

    Attributes:
        boxes: (K, 4) float32, xyxy, cells.
        scores: (K,) float32.
        joints: (K, J, 2) float32, xy, cells.
        joint_scores: (K, J) float32.
    """

    boxes: Value
    scores: Value
    joints: Value
    joint_scores: Value


def decode(heads: Mapping[str, Value], card: ModelCard) -> Found:
    """Find people, as `pose_onnx.core.people` does.

    Args:
        heads: Raw, (1, C, h, w) each, by name.
        card: The model's.
    """
    spec = cast("PeopleOutput", card.output)
    height, width = (side // spec.stride for side in card.picture.size)
    grid, joints = Grid(height, width, min(spec.max_people, height * width)), len(card.keypoints)
    best, cells = grid.peaks(heads["hm"].apply("Sigmoid"), 1)
    scores, cells = best.reshape(-1), cells.reshape(-1)
    corners = grid.corners(cells)
    low, high = grid.ends(cells, heads["wh"], heads.get("reg", float(CELL_OFFSET)))
    rough = grid.at(heads["hps"], cells).reshape(-1, joints, POINT) + corners.unsqueeze(1)
    joint_scores = scores.unsqueeze(1) + np.zeros((1, joints))
    boxes = low.join(high, axis=1)
    if "hm_hp" not in heads:
        return Found(boxes, scores, rough, joint_scores)
    return Found(boxes, scores, *_take_peaks(grid, heads, (low, high), rough, joint_scores, joints))


def _take_peaks(
    grid: Grid, heads: Mapping[str, Value], box: tuple[Value, Value], rough: Value, scores: Value, count: int
) -> tuple[Value, Value]:
    """Move each of (K, J, 2) rough joints to the nearest peak of its map, if that peak qualifies."""
    peak_scores, cells = grid.peaks(heads["hm_hp"].apply("Sigmoid"), count)
    flat = cells.reshape(-1)
    offsets = grid.at(heads["hp_offset"], flat) if "hp_offset" in heads else float(CELL_OFFSET)
    counts = peak_scores.reshape(-1, 1) > float(PEAK_SCORE)
    points = counts.where(grid.corners(flat) + offsets, _NOWHERE)  # (J * P, 2)
    by_map = points.reshape(count, grid.most, POINT)
    dx, dy = (rough.take([axis], axis=2) - by_map.take(axis, axis=2).unsqueeze(0) for axis in range(POINT))
    distances = (dx * dx + dy * dy).apply("Sqrt")  # (K, J, P)
    nearest = distances.apply("ArgMin", dtype=np.int64, axis=2, keepdims=1)
    distance = distances.apply("GatherElements", nearest, axis=2).reshape(-1, count)
    index = nearest.reshape(-1, count) + grid.most * np.arange(count)[None]
    point, score = points.take(index), peak_scores.reshape(-1).take(index)
    low, high = (corner.unsqueeze(1) for corner in box)
    size = box[1] - box[0]
    reach = size.take([0], axis=1).apply("Max", size.take([1], axis=1)) * float(PEAK_DISTANCE)
    outside = (low - point).apply("Max", point - high)
    beyond = outside.take(0, axis=2).apply("Max", outside.take(1, axis=2))
    taken = (beyond <= 0.0).apply("And", distance <= reach).apply("And", score > float(PEAK_SCORE))
    return taken.unsqueeze(2).where(point, rough), taken.where(score, scores)


def to_image(found: Found, place_of: CropValues, stride: int) -> Found:
    """Convert people from cells to image pixels."""
    scale, shift = place_of.scale, place_of.shift  # (1, 1) and (1, 2): input pixels per image pixel
    factor = (float(stride) / scale).cast(np.float32)
    origin = (-(shift / scale)).cast(np.float32)
    boxes = found.boxes * factor + origin.join(origin, axis=1)
    return found._replace(boxes=boxes, joints=found.joints * factor.unsqueeze(0) + origin.unsqueeze(0))
