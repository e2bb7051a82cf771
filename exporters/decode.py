"""Constants of the distribution box decoding, shared by networks and graph surgery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BoxDecode:
    """How a head's box distributions become boxes (GFL, arXiv 2006.04388).

    Attributes:
        strides: network pixels per grid cell, one per level.
        reg_max: largest distance in stride units.
        cell_offset: place of an anchor point inside its cell, in stride units.
    """

    strides: tuple[int, ...]
    reg_max: int
    cell_offset: float

    @property
    def bins(self) -> int:
        """Bins of one distance distribution."""
        return self.reg_max + 1

    def constants(
        self, sizes: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Anchor points and signed strides of all levels together.

        A box is `centres + distances * signed_strides`, distances being left,
        top, right, bottom in stride units.

        Args:
            sizes: (rows, columns) of each level's grid, in the order of `strides`.

        Returns:
            centres (A, 4) as x, y, x, y in network pixels; signed strides (A, 4).
        """
        centres, signed = [], []
        for stride, (rows, columns) in zip(self.strides, sizes, strict=True):
            y, x = np.mgrid[:rows, :columns].astype(np.float32)
            points = np.stack([x, y, x, y], axis=-1).reshape(-1, 4) + np.float32(self.cell_offset)
            centres.append(points * np.float32(stride))
            signed.append(np.tile(np.float32([-stride, -stride, stride, stride]), (len(points), 1)))
        return np.concatenate(centres), np.concatenate(signed)
