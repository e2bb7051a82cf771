"""Decodes the heads of a one-pass network to people inside the graph: `decode_people` of the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import POINT
from pose_onnx.core.people import CELL_OFFSET, PEAK_DISTANCE, PEAK_SCORE
from pose_onnx.errors import ExportError
from pose_onnx.exporters.end_to_end._crops import CropValues
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


def place(image: Value, card: ModelCard) -> CropValues:
    """Return where an (H, W, 3) image is placed in the network's input, by the card's resize mode.

    Raises:
        ExportError: End-to-end files do not support this resize mode.
    """
    if card.picture.resize not in _PLACES:
        raise ExportError(
            f"the card of {card.name!r} has input.resize {card.picture.resize!r}, but end-to-end files of "
            f"one-pass models only support {list(_PLACES)}; export without --end-to-end"
        )
    sides = image.shape(1).join(image.shape(0), axis=0).reshape(1, POINT)  # width and height
    scale, shift = _PLACES[card.picture.resize](sides, card.picture.size[::-1])
    return CropValues(scale, shift, center=shift, valid=scale > 0.0)


def _fix(sides: Value, target: Sequence[int]) -> tuple[Value, Value]:
    longer = sides.take([0], axis=1).apply("Max", sides.take([1], axis=1)).cast(np.float64)
    scale = float(target[0]) / longer
    scaled = sides.cast(np.float64) * scale
    return scale, (scaled.constant([target]) - scaled) * 0.5


def _keep(sides: Value, target: Sequence[int]) -> tuple[Value, Value]:
    shift = sides.constant([[side // 2 for side in target]]) - sides / 2
    return shift.constant([[1.0]], np.float64), shift.cast(np.float64)


_PLACES: Final[Mapping[str, Callable[..., tuple[Value, Value]]]] = MappingProxyType(
    {"fix": _fix, "keep": _keep}
)
"""By resize mode: from (1, 2) int64 sides of picture and input to scale (1, 1) and shift (1, 2)."""


def decode(heads: Mapping[str, Value], card: ModelCard) -> Found:
    """Find people, as `pose_onnx.core.people` does.

    Args:
        heads: Raw, (1, C, h, w) each, by name.
        card: The model's.
    """
    spec = cast("PeopleOutput", card.output)
    height, width = (side // spec.stride for side in card.picture.size)
    grid, joints = _Grid(height, width, min(spec.max_people, height * width)), len(card.keypoints)
    best, cells = grid.peaks(heads["hm"], 1)
    scores, cells = best.reshape(-1), cells.reshape(-1)
    corners = grid.corners(cells)
    centers = corners + (grid.at(heads["reg"], cells) if "reg" in heads else float(CELL_OFFSET))
    half = grid.at(heads["wh"], cells) / 2.0
    low, high = centers - half, centers + half
    rough = grid.at(heads["hps"], cells).reshape(-1, joints, POINT) + corners.unsqueeze(1)
    joint_scores = scores.unsqueeze(1) + np.zeros((1, joints))
    boxes = low.join(high, axis=1)
    if "hm_hp" not in heads:
        return Found(boxes, scores, rough, joint_scores)
    return Found(boxes, scores, *_take_peaks(grid, heads, (low, high), rough, joint_scores, joints))


class _Grid(NamedTuple):
    """Cells of the heads."""

    height: int
    width: int
    most: int

    def peaks(self, logits: Value, maps: int) -> tuple[Value, Value]:
        """Return scores, 0 in fillers, and flat cells of the best peaks of (1, C, h, w) maps, (C, P) each."""
        scores = logits.apply("Sigmoid")
        highest = scores.apply("MaxPool", kernel_shape=[3, 3], pads=[1] * 4)
        alone = scores.apply("Equal", highest, dtype=np.bool_).where(scores, 0.0)
        return alone.reshape(maps, self.height * self.width).best(scores.integers([self.most]))

    def corners(self, cells: Value) -> Value:
        """Return the (..., 2) float32 xy of cells."""
        row = cells / self.width
        column = cells - row * self.width
        return column.unsqueeze(-1).join(row.unsqueeze(-1), axis=-1).cast(np.float32)

    def at(self, head: Value, cells: Value) -> Value:
        """Return the (N, C) values of a (1, C, h, w) head at N cells."""
        return head.apply("Squeeze", head.integers([0])).reshape(0, -1).take(cells, axis=1).transpose(1, 0)


def _take_peaks(
    grid: _Grid, heads: Mapping[str, Value], box: tuple[Value, Value], rough: Value, scores: Value, count: int
) -> tuple[Value, Value]:
    """Move each of (K, J, 2) rough joints to the nearest peak of its map, if that peak qualifies."""
    peak_scores, cells = grid.peaks(heads["hm_hp"], count)
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
