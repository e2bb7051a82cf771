"""Plates with each person's label, placed at the person's box without covering each other if possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from pose_onnx.core.arrays import F64
from pose_onnx.core.boxes import box_iou
from pose_onnx.drawing.painter import Painter, is_drawable, plate_size
from pose_onnx.drawing.palette import Rgb

_LETTER_HEIGHT: Final = 4.0  # in line widths
_MIN_LETTER_HEIGHT: Final = 8.0  # pixels
_MAX_LETTER_HEIGHT: Final = 1000.0  # pixels; OpenCV takes seconds for larger letters, and may crash
_HEAD: Final = 0.2  # share of a person's height


def letter_height(width: float) -> float:
    """Return the letter height in pixels that goes with lines of a given width."""
    return min(max(_MIN_LETTER_HEIGHT, width * _LETTER_HEIGHT), _MAX_LETTER_HEIGHT)


def draw_plates(
    painter: Painter, boxes: F64, texts: Sequence[str], colors: Sequence[Rgb], heights: Sequence[float]
) -> None:
    """Write a text at each of (N, 4) boxes, except empty texts and boxes without a usable position.

    If there is room, a plate covers neither another plate nor anybody's head.
    """
    limits = np.array(painter.canvas.shape[1::-1], np.float64)
    is_somewhere = is_drawable(boxes.reshape(-1, 2, 2)).all(axis=1)
    taken = _heads(boxes[is_somewhere])
    for index in np.flatnonzero(is_somewhere).tolist():
        box, text, color, height = boxes[index], texts[index], colors[index], heights[index]
        if text:
            place = _place(box, plate_size(text, height), limits, taken)
            painter.plate(place[:2], text, color, height)
            taken = np.concatenate([taken, place[None]])


def _heads(boxes: F64) -> F64:
    """Return boxes (N, 4) of the heads of people in boxes."""
    left, top, right, bottom = boxes.T
    return np.stack([left, top, right, top + _HEAD * (bottom - top)], axis=1)


def _place(box: F64, size: F64, limits: F64, taken: F64) -> F64:
    """Return a plate's place, (4,) xyxy: the first free one around the box, else the least covered."""
    (left, top, right, bottom), (length, height) = box, size
    columns, rows = (left, right - length), (top - height, top, bottom - height, bottom)
    corners = np.array([(column, row) for row in rows for column in columns])
    low = corners.clip(0, np.maximum(limits - size, 0))
    places: F64 = np.concatenate([low, low + size], axis=1)
    freest: F64 = places[box_iou(places, taken).sum(axis=1).argmin()]
    return freest
