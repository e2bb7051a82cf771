"""Boxes, as functions on arrays."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from pose_onnx.core.arrays import F32, F64

Boxes = TypeVar("Boxes", F32, F64)


def box_iou(boxes: Boxes, others: Boxes) -> Boxes:
    """Return the (N, M) intersection over union of (N, 4) and (M, 4) xyxy boxes; 0 where both are empty."""
    shared = _area(
        np.maximum(boxes[:, None, :2], others[None, :, :2]),
        np.minimum(boxes[:, None, 2:], others[None, :, 2:]),
    )
    areas = [_area(item[:, :2], item[:, 2:]) for item in (boxes, others)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    result: Boxes = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result


def end_inside(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Move the edges of (N, 4) xyxy boxes that lie beyond a picture onto its first and last pixels.

    As Paddle's yolo_box does: left and top edges become at least 0, right and bottom ones at most the size
    less 1.

    Args:
        boxes: image pixels.
        size: height and width of the picture.
    """
    last = np.array([size[1] - 1, size[0] - 1], boxes.dtype)
    result: Boxes = np.concatenate([np.maximum(boxes[:, :2], 0), np.minimum(boxes[:, 2:], last)], axis=1)
    return result


def _area(low: Boxes, high: Boxes) -> Boxes:
    sides = np.maximum(high - low, 0)
    area: Boxes = sides[..., 0] * sides[..., 1]
    return area
