"""What is read from the program of a two-stage detector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

SUFFIX: Final = ".two_stage.json"
"""Of the file beside a prepared program that holds these facts."""
MAPS: Final = 3
"""Tensors of one level: scores (1, A, h, w), deltas (1, 4A, h, w) and anchors (h * w * A, 4)."""


@dataclass(frozen=True, slots=True)
class Level:
    """How one level of the first stage proposes regions.

    Attributes:
        candidates: Number of anchors kept, the best ones, before suppression.
        kept: Maximum number of regions after it.
        iou: Two regions with a higher IoU are the same object.
        smallest: Regions with a smaller side, input pixels, are left out.
    """

    candidates: int
    kept: int
    iou: float
    smallest: float


@dataclass(frozen=True, slots=True)
class Pool:
    """How features of a region are pooled from one level's map.

    Attributes:
        scale: Cells per input pixel.
        size: Rows and columns of the result.
        samples: Samples in each row and column of a bin; 0: as many as the bin has cells.
        aligned: Whether the centre of a cell is at half a cell.
    """

    scale: float
    size: tuple[int, int]
    samples: int
    aligned: bool


@dataclass(frozen=True, slots=True)
class TwoStage:
    """A prepared program: its inputs by what they are, and the numbers between its two parts.

    Its outputs are, in this order: `MAPS` tensors for each level, one map of features for each pool, the
    boxes (R, C, 4) and the scores (R, C).

    Attributes:
        image: Name of the input for the picture.
        pooled: Name of the input for pooled regions (R, D, rows, columns).
        regions: Name of the input for regions (R, 4), xyxy, input pixels.
        sizes: Name of the input for the picture's height and width, repeated for each region, (R, 2).
        levels: Of the first stage, finest first.
        proposals: Maximum number of regions of all levels together.
        pools: Of the second stage, finest first.
        usual_side: A region with this side, input pixels, belongs to the pool `usual_pool`.
        usual_pool: Its place in `pools`. Twice the side is one pool further.
    """

    image: str
    pooled: str
    regions: str
    sizes: str
    levels: tuple[Level, ...]
    proposals: int
    pools: tuple[Pool, ...]
    usual_side: float
    usual_pool: int

    def to_json(self) -> str:
        """Return the JSON that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TwoStage:
        """Read what `to_json` wrote."""
        data: Mapping[str, Any] = json.loads(text)
        levels = tuple(Level(**level) for level in data["levels"])
        pools = tuple(Pool(**{**pool, "size": tuple(pool["size"])}) for pool in data["pools"])
        return cls(**{**data, "levels": levels, "pools": pools})
