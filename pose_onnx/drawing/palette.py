"""The colours of drawings: one for each side of a body, and one for each person."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32, F64

Rgb: TypeAlias = tuple[int, int, int]

DARK_RGB: Final = (20, 20, 20)
"""Colour of rims, which make drawings visible on any background, and of the text on plates."""

LIGHT_RGB: Final = (240, 240, 240)

# Warm is (the person's own) left, cold is right; people with red-green deficiency can tell them apart too.
SIDE_COLORS_RGB: Final = MappingProxyType({"left": (255, 140, 0), "right": (0, 160, 255)})
_SIDE_WORDS: Final = MappingProxyType({"left": "left", "l": "left", "right": "right", "r": "right"})

PERSON_COLORS_RGB: Final = (
    (60, 230, 60),
    (255, 70, 180),
    (255, 240, 60),
    (175, 100, 255),
    LIGHT_RGB,
    (45, 175, 160),
    (240, 170, 245),
    (200, 125, 115),
)
"""Any two of these and of `SIDE_COLORS_RGB` are 40 or more apart in CIELAB; all are bright beside dark."""

_NEIGHBOURHOOD: Final = 0.5
"""People are neighbours if the gap between their boxes is at most this share of their longest side."""

_FARTHEST: Final = 1e9  # pixels; keeps the differences of infinite boxes finite


def person_colors(boxes: F32, ids: NDArray[np.int64] | None = None) -> list[Rgb]:
    """Choose a colour for each person, so that neighbours differ as long as there are colours left.

    The colour follows from the id (without ids, from the place in the list), so it is the same in every
    picture. Only if a neighbour with a smaller number already has that colour is another one chosen: the one
    whose nearest owner is farthest away.

    Args:
        boxes: (N, 4), xyxy, image pixels.
        ids: (N,), or `None`.

    Returns:
        N colours, RGB.
    """
    numbers = np.arange(len(boxes)) if ids is None else ids
    distances = _distances(np.nan_to_num(boxes.astype(np.float64)).clip(-_FARTHEST, _FARTHEST))
    chosen = np.full(len(boxes), -1)
    for index in np.argsort(numbers, kind="stable"):
        is_done = chosen >= 0
        nearest = np.full(len(PERSON_COLORS_RGB), np.inf)
        np.minimum.at(nearest, chosen[is_done], distances[index, is_done])
        own = int(numbers[index]) % len(PERSON_COLORS_RGB)
        chosen[index] = own if nearest[own] > _NEIGHBOURHOOD else nearest.argmax()
    return [PERSON_COLORS_RGB[color] for color in chosen]


def side_of(name: str) -> str:
    """Return "left", "right" or "middle", from the words of a keypoint's name."""
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return next((_SIDE_WORDS[word] for word in words if word in _SIDE_WORDS), "middle")


def _distances(boxes: F64) -> F64:
    """Return (N, N) gaps between boxes, divided by the longest side of the two."""
    low, high = boxes[:, :2], boxes[:, 2:]
    gaps = np.maximum(low[:, None] - high[None], low[None] - high[:, None]).max(axis=2)
    sides = np.maximum((high - low).max(axis=1), 1)
    distances: F64 = np.maximum(gaps, 0) / np.maximum(sides[:, None], sides[None])
    return distances
