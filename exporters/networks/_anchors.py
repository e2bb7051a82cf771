"""From the maps of a YOLO head to boxes and scores (arXiv 1804.02767; 2007.12099)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, concat
from paddle.nn import functional

from pose_onnx.exporters.networks._boxes import rows

Sides = tuple[int, int]
"""Width and height in input pixels."""
BOX_CHANNELS = 5
"""Centre x and y, width, height, objectness: what is told of each anchor before its classes."""
_CENTRE, _SIDES, _OBJECT = slice(0, 2), slice(2, 4), slice(4, 5)


class Anchors(NamedTuple):
    """Boxes that a head's numbers change.

    Attributes:
        sides: of each level, the coarsest first.
        reach: how far a centre can be moved, in cells; it starts so far before the cell's middle, halved.
        iou_power: how much the IoU counts that the head expects for a box: its score is
            objectness ** (1 - iou_power) * IoU ** iou_power. At 0 the head does not tell it.
    """

    sides: tuple[tuple[Sides, ...], ...]
    reach: float = 1.0
    iou_power: float = 0.0

    def channels(self, classes: int) -> list[int]:
        """Return the channels of each level's map."""
        told = BOX_CHANNELS + classes + bool(self.iou_power)
        return [told * len(level) for level in self.sides]


def decode_maps(
    maps: Sequence[Tensor], classes: int, anchors: Anchors, strides: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Turn a head's maps into boxes and scores.

    Unlike Paddle's `yolo_box`, this neither clips boxes nor empties those of a low objectness.

    Args:
        maps: of each level, (N, channels, H / stride, W / stride), raw.
        classes: number of classes C.
        anchors: of the head.
        strides: of each level.

    Returns:
        boxes (N, A, 4) xyxy in network pixels, scores (N, A, C); cell by cell, the anchors of each together.
    """
    tables, ious = [], []
    for x, sides in zip(maps, anchors.sides, strict=True):
        cells, count = rows(x), len(sides)
        if anchors.iou_power:
            ious.append(cells[:, :, :count].reshape([-1, cells.shape[1] * count, 1]))
            cells = cells[:, :, count:]
        tables.append(cells.reshape([-1, cells.shape[1] * count, BOX_CHANNELS + classes]))
    table = concat(tables, axis=1)
    starts, reaches, halves = map(paddle.to_tensor, constants(maps, anchors, strides))
    centres = functional.sigmoid(table[:, :, _CENTRE]) * reaches + starts
    halves = paddle.exp(table[:, :, _SIDES]) * halves
    objects = functional.sigmoid(table[:, :, _OBJECT])
    if ious:
        expected = functional.sigmoid(concat(ious, axis=1))
        objects = paddle.pow(objects, 1 - anchors.iou_power) * paddle.pow(expected, anchors.iou_power)
    boxes = concat([centres - halves, centres + halves], axis=2)
    return boxes, objects * functional.sigmoid(table[:, :, BOX_CHANNELS:])


def constants(
    maps: Sequence[Tensor], anchors: Anchors, strides: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return, of each anchor of each cell, in network pixels: where centres start, their reach, half sides.

    Returns:
        (A, 2) as x, y; (A, 1); (A, 2) as width, height.
    """
    starts, reaches, halves = [], [], []
    for x, sides, stride in zip(maps, anchors.sides, strides, strict=True):
        height, width = x.shape[2:]
        row, column = np.mgrid[:height, :width]
        cells = np.stack([column, row], axis=-1).reshape(-1, 2) - (anchors.reach - 1) / 2
        starts.append(np.repeat(cells, len(sides), axis=0) * stride)
        reaches.append(np.full((len(starts[-1]), 1), anchors.reach * stride))
        halves.append(np.tile(np.array(sides) / 2, (height * width, 1)))
    joined = [np.concatenate(parts).astype(np.float32) for parts in (starts, reaches, halves)]
    return joined[0], joined[1], joined[2]
