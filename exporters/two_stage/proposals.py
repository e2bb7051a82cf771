"""Regions, as graph operators: proposed on each level, and their features pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from pose_onnx.core.arrays import BOX
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.two_stage.facts import Level, Pool, TwoStage

MOST_GROWTH: Final = float(np.log(1000 / 16))
"""Logarithm of the most that an anchor's sides grow by (Paddle, kBBoxClipDefault)."""
SMALLEST: Final = 1.0
"""Regions with a side below one pixel are always left out (Paddle, FilterBoxes)."""
SIDE_MARGIN: Final = 1e-6
"""Added to a region's relative side (Paddle, distribute_fpn_proposals)."""

Regions = tuple[Value, Value]
"""Boxes (R, 4), xyxy, input pixels, and scores (R,)."""


def picture_size(image: Value) -> Value:
    """Find out how much of an input the picture fills.

    Args:
        image: (1, 3, H, W) float32. Right of the picture and below it everything is 0, in it no pixel is.

    Returns:
        (2,) float32, the picture's height and width.
    """
    filled = image.apply("Abs").reduce("Max", 0, 1, keep=False) > 0.0
    ends = []
    for axis in range(2):
        used = filled.cast(np.float32).reduce("Max", 1 - axis, keep=False)
        counted = (used * 0.0 + 1.0).apply("CumSum", used.integers(0))
        ends.append((used * counted).reduce("Max", 0))
    return ends[0].join(ends[1], axis=0)


def propose(maps: Sequence[Value], level: Level, size: Value) -> Regions:
    """Propose regions on one level, as Paddle's `generate_proposals` does.

    Args:
        maps: Scores (1, A, h, w), deltas (1, 4A, h, w) and anchors (h * w * A, 4).
        level: Its numbers.
        size: (2,), the picture's height and width.

    Returns:
        At least one region: a zero box with a score of 0 if nothing is left.
    """
    scores, deltas = (each.transpose(0, 2, 3, 1) for each in maps[:2])
    flat = scores.reshape(-1)
    best, places = flat.best(flat.shape(0).apply("Min", level.candidates))
    boxes = _moved(maps[2].take(places), deltas.reshape(-1, BOX).take(places))
    boxes = inside(boxes, size)
    low, high = boxes.split(2, axis=1)
    sides = (high - low).reduce("Min", 1, keep=False)
    large = sides.apply("GreaterOrEqual", max(level.smallest, SMALLEST), dtype=np.bool_)
    kept = large.apply("NonZero", dtype=np.int64).reshape(-1)
    boxes, best = boxes.take(kept), best.take(kept)
    chosen = boxes.unsqueeze(0).apply(
        "NonMaxSuppression",
        best.reshape(1, 1, -1),
        boxes.integers([level.kept]),
        boxes.constant([level.iou]),
        dtype=np.int64,
    )
    anchors = chosen.take(2, axis=1)  # of image, class, anchor
    stand_ins = 1 - anchors.shape(0)
    return (
        boxes.take(anchors).join(boxes.constant(np.zeros((1, BOX))).first(stand_ins), axis=0),
        best.take(anchors).join(best.constant(np.zeros(1)).first(stand_ins), axis=0),
    )


def inside(boxes: Value, size: Value) -> Value:
    """End (R, 4) boxes at the picture's border; `size` is its height and width."""
    return boxes.clip(0.0, size.take([1, 0, 1, 0]))  # x, y, x, y


def best_of(levels: Sequence[Regions], most: int) -> Value:
    """Return the boxes of the best regions of all levels, at most so many: (R, 4)."""
    boxes, scores = (_joined(parts) for parts in zip(*levels, strict=True))
    _, places = scores.best(scores.shape(0).apply("Min", most))
    return boxes.take(places)


def pool_regions(boxes: Value, features: Sequence[Value], facts: TwoStage) -> Value:
    """Pool the features of each region from the level that fits its size.

    Args:
        boxes: (R, 4), xyxy, input pixels.
        features: (1, D, h, w) for each pool.
        facts: Of the detector.

    Returns:
        The regions' features, (R, D, rows, columns).
    """
    low, high = boxes.split(2, axis=1)
    area = (high - low).reduce("Prod", 1, keep=False)
    side = area.apply("Sqrt") / facts.usual_side + SIDE_MARGIN
    # The level is a rounded logarithm: compared with powers of 2, it has no rounding of its own.
    level = (side * 0.0).cast(np.int64)
    for place in range(1, len(facts.pools)):
        reaches = side.apply("GreaterOrEqual", 2.0 ** (place - facts.usual_pool), dtype=np.bool_)
        level += reaches.cast(np.int64)
    found = [_pooled(boxes, level, place, features[place], pool) for place, pool in enumerate(facts.pools)]
    rows, pooled = (_joined(parts) for parts in zip(*found, strict=True))
    # Now they are level by level: where each region went is the order of its rows, ascending.
    _, order = (-rows).best(rows.shape(0))
    return pooled.take(order)


def _joined(parts: Sequence[Value]) -> Value:
    return parts[0].join(*parts[1:], axis=0)


def _pooled(boxes: Value, level: Value, place: int, features: Value, pool: Pool) -> tuple[Value, Value]:
    """Return the rows of the regions that belong to a level, and their features."""
    here = level.apply("Equal", place, dtype=np.bool_).apply("NonZero", dtype=np.int64).reshape(-1)
    rows, columns = pool.size
    pooled = features.apply(
        "RoiAlign",
        boxes.take(here),
        here * 0,  # all of the one image
        output_height=rows,
        output_width=columns,
        sampling_ratio=pool.samples,
        spatial_scale=pool.scale,
        coordinate_transformation_mode="half_pixel" if pool.aligned else "output_half_pixel",
    )
    return here, pooled


def _moved(anchors: Value, deltas: Value) -> Value:
    """Move and resize (K, 4) anchors by (K, 4) deltas: of the centre in sides, of the sides' logarithms."""
    low, high = anchors.split(2, axis=1)
    sides = high - low
    moves, growths = deltas.split(2, axis=1)
    centers = moves * sides + (low + sides * 0.5)
    halves = growths.apply("Min", MOST_GROWTH).apply("Exp") * sides / 2.0
    return (centers - halves).join(centers + halves, axis=1)
