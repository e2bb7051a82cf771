"""Constants of the distribution box decoding, shared by networks and graph surgery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_onnx.outputs import BoxOutput
from pose_onnx.outputs.box_distributions import CELL_OFFSET


@dataclass(frozen=True, slots=True)
class BoxDecode:
    """How a head's box distributions become boxes (GFL, arXiv 2006.04388).

    Attributes:
        strides: network pixels per grid cell, one per level.
        bins: number of bins in the distribution of a distance; bin i stands for i strides.
    """

    strides: tuple[int, ...]
    bins: int

    @classmethod
    def of(cls, box: BoxOutput) -> BoxDecode:
        """Take the strides and bins of a model card."""
        return cls(box.strides, box.bins)

    def constants(self, sizes: Sequence[tuple[int, int]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Anchor points and signed strides of all levels together.

        A box is `centres + distances * signed_strides`. The distances are left,
        top, right and bottom, in strides.

        Args:
            sizes: (rows, columns) of each level's grid, in the order of `strides`.

        Returns:
            centres (A, 4) as x, y, x, y in network pixels; signed strides (A, 4).
        """
        centres, signed = [], []
        for stride, (rows, columns) in zip(self.strides, sizes, strict=True):
            y, x = np.mgrid[:rows, :columns].astype(np.float32)
            points = np.stack([x, y, x, y], axis=-1).reshape(-1, 4) + np.float32(CELL_OFFSET)
            centres.append(points * np.float32(stride))
            signed.append(np.tile(np.array([-stride, -stride, stride, stride], np.float32), (len(points), 1)))
        return np.concatenate(centres), np.concatenate(signed)
