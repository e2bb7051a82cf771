"""Peaks of score maps, and what other maps say at the peaks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pose_onnx.exporters.end_to_end._values import Value


class Grid(NamedTuple):
    """Cells of the heads.

    Attributes:
        height: Rows.
        width: Columns.
        most: So many peaks of each map are found; at most the number of cells.
    """

    height: int
    width: int
    most: int

    def peaks(self, scores: Value, maps: int) -> tuple[Value, Value]:
        """Return scores, 0 in fillers, and flat cells of the best peaks of (1, C, h, w) maps, (C, P) each."""
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

    def ends(self, cells: Value, sizes: Value, offsets: Value | float) -> tuple[Value, Value]:
        """Return both corners of the boxes around centres, (N, 2) each, in cells.

        Args:
            cells: (N,), of the centres.
            sizes: (1, 2, h, w), widths and heights.
            offsets: (1, 2, h, w), x and y of the centre within its cell; or one number for all.
        """
        within = self.at(offsets, cells) if isinstance(offsets, Value) else offsets
        centers, half = self.corners(cells) + within, self.at(sizes, cells) / 2.0
        return centers - half, centers + half
