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
HEADS: Final = 2
"""Boxes and scores, the last outputs."""


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
    """A prepared program: its inputs by what they are, and the numbers between its parts.

    Faster R-CNN looks at its regions once, Cascade R-CNN several times, each time at regions that the time
    before has moved. Its outputs are, in this order: `MAPS` tensors for each level, one map of features for
    each pool, the moved regions (R, 4) of each time but the first, the boxes (R, C, 4) and the scores (R, C).

    Attributes:
        image: Name of the input for the picture.
        pooled: Name of the input for pooled regions (R, D, rows, columns), for each time.
        regions: Names of the inputs for the first regions (R, 4), xyxy, input pixels; all are given the same.
        size: Name of the input for the picture's height and width, (1, 2); empty if there is none.
        sizes: Names of the inputs for the same, repeated for each region, (R, 2).
        levels: Of the first stage, finest first.
        proposals: Maximum number of regions of all levels together.
        pools: Of the second stage, finest first.
        usual_side: A region with this side, input pixels, belongs to the pool `usual_pool`.
        usual_pool: Its place in `pools`. Twice the side is one pool further.
    """

    image: str
    pooled: tuple[str, ...]
    regions: tuple[str, ...]
    size: str
    sizes: tuple[str, ...]
    levels: tuple[Level, ...]
    proposals: int
    pools: tuple[Pool, ...]
    usual_side: float
    usual_pool: int

    @property
    def feeds(self) -> tuple[str, ...]:
        """Names of all inputs."""
        return tuple(filter(None, (self.image, *self.pooled, *self.regions, self.size, *self.sizes)))

    def to_json(self) -> str:
        """Return the JSON that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TwoStage:
        """Read what `to_json` wrote."""
        data: Mapping[str, Any] = json.loads(text)
        names = {field: tuple(data[field]) for field in ("pooled", "regions", "sizes")}
        levels = tuple(Level(**level) for level in data["levels"])
        pools = tuple(Pool(**{**pool, "size": tuple(pool["size"])}) for pool in data["pools"])
        return cls(**{**data, **names, "levels": levels, "pools": pools})
