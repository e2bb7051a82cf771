"""A legend: a strip below a drawing that explains its colours and lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np

from pose_onnx.core.arrays import F64, Image
from pose_onnx.drawing.painter import Painter, text_length
from pose_onnx.drawing.palette import DARK_RGB, LIGHT_RGB, PERSON_COLORS_RGB, SIDE_COLORS_RGB
from pose_onnx.drawing.plates import letter_height

# In letter heights.
_ROW: Final = 2.0
_SAMPLE: Final = 4.0
_SPACE: Final = 1.0
_LINE: Final = 0.4
_THIN: Final = 0.15
_IN_CELL: Final = np.array([_SPACE, (_ROW - 1) / 2])
_OF_SAMPLE: Final = np.array([_SAMPLE, 1.0])
_TO_TEXT: Final = np.array([_SAMPLE + _SPACE, 0.0])

_LETTER_HEIGHT: Final = 0.75  # relative to letters on plates
_LEAST_LETTER_HEIGHT: Final = 4.0  # pixels; a picture too narrow for this height has no legend
_ANY_HEIGHT: Final = 100.0  # pixels; text length is proportional to its height

_Sample: TypeAlias = Callable[[Painter, F64, float], None]
"""Draws into a (4,) area, next to letters of a given height."""


def with_legend(picture: Image, width: float) -> Image:
    """Return a picture with a strip below it that explains the drawing.

    Args:
        picture: (H, W, 3) uint8, BGR.
        width: Width of the drawing's lines, pixels.

    Returns:
        (H + h, W, 3) uint8, with an even h that depends on H, W and `width` alone; 0 if W is too small.
    """
    length = max(text_length(text, _ANY_HEIGHT) for text in _ENTRIES) / _ANY_HEIGHT
    cell = np.array([_SAMPLE + length + 3 * _SPACE, _ROW])  # in letter heights
    height = min(_LETTER_HEIGHT * letter_height(width), picture.shape[1] / cell[0])
    if height < _LEAST_LETTER_HEIGHT:
        return picture
    # At least one: where a cell is exactly as wide as the picture, the quotient may be rounded to below 1.
    columns = min(len(_ENTRIES), max(1, int(picture.shape[1] / (cell[0] * height))))
    rows = -(-len(_ENTRIES) // columns)
    strip = np.full((2 * round(rows * _ROW * height / 2), picture.shape[1], 3), DARK_RGB[::-1], np.uint8)
    painter = Painter(strip)
    for index, (text, draw_sample) in enumerate(_ENTRIES.items()):
        row, column = divmod(index, columns)
        low = (cell * (column, row) + _IN_CELL) * height
        draw_sample(painter, np.concatenate([low, low + _OF_SAMPLE * height]), height)
        painter.text(low + _TO_TEXT * height, text, LIGHT_RGB, height)
    return np.concatenate([picture, strip])


def _draw_joint(side: str, painter: Painter, area: F64, height: float) -> None:
    painter.disc(area.reshape(2, 2).mean(axis=0), SIDE_COLORS_RGB[side], height / 2)


def _draw_people(painter: Painter, area: F64, height: float) -> None:
    """Draw lines in the first colours for people, one after another."""
    colors = list(PERSON_COLORS_RGB[:3])
    cuts = np.linspace(area[0], area[2], len(colors) + 1)
    pieces = [_level(area, start, end) for start, end in pairwise(cuts.tolist())]
    painter.lines(pieces, colors, [_LINE * height] * len(colors))


def _draw_unsure(painter: Painter, area: F64, height: float) -> None:
    painter.lines([_level(area, area[0], area[2])], [PERSON_COLORS_RGB[0]], [_THIN * height])


def _draw_dashed(painter: Painter, area: F64, height: float) -> None:
    painter.frame(area, PERSON_COLORS_RGB[0], _THIN * height, dashed=True)


def _level(area: F64, start: float, end: float) -> F64:
    """Return the (2, 2) ends of a horizontal line through the middle of an area."""
    middle = (area[1] + area[3]) / 2
    return np.array([[start, middle], [end, middle]])


_ENTRIES: Final[dict[str, _Sample]] = {
    "joint of the person's left": partial(_draw_joint, "left"),
    "joint of the person's right": partial(_draw_joint, "right"),
    "line, box: who it is": _draw_people,
    "thin: unsure": _draw_unsure,
    "dashed: no sure joint": _draw_dashed,
}
