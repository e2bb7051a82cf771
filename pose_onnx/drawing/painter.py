"""Shapes on a picture: lines, discs, boxes and labels, each with its own opacity."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F64, Image
from pose_onnx.core.opencv import cv2

Rgb: TypeAlias = tuple[int, int, int]

NEUTRAL_RGB: Final = (240, 240, 240)
OUTLINE_RGB: Final = (20, 20, 20)
MIN_WIDTH: Final = 1.0  # pixels

_FRAME_WIDTH: Final = 0.35  # in line widths
_FRAME_ALPHA: Final = 0.8

_LETTER_HEIGHT: Final = 6.0  # in line widths
_MIN_LETTER_HEIGHT: Final = 9.0  # pixels
_LETTER_THICKNESS: Final = 1 / 8  # of a letter's height
_FONT_HEIGHT: Final = 21.0  # pixels of a capital of OpenCV's Hershey font at scale 1

_HUE_STEP: Final = (math.sqrt(5) - 1) / 2  # golden ratio: hues of ids that follow each other are far apart
_GREENS_FROM: Final = 0.2  # a quarter of the hues from here, and one from the next: neither orange nor blue
_PINKS_FROM: Final = 0.7
_SATURATION: Final = 0.6

_SHIFT: Final = 4  # OpenCV draws at 1 / 2**4 pixel
_FAR_AWAY: Final = 1e6  # pixels; beyond, OpenCV's fixed-point coordinates would overflow


@dataclass(slots=True)
class Painter:
    """Draws shapes, each with its own opacity, touching only the pixels around it."""

    canvas: Image  # BGR, written to
    width: float = MIN_WIDTH
    middle: Rgb = NEUTRAL_RGB

    def line(self, points: F64, color_rgb: Rgb, *, width: float, alpha: float) -> None:
        """Draw a line between (2, 2) points."""
        with self._layer(points, width, alpha) as (layer, origin):
            start, end = _fixed(points - origin)
            cv2.line(layer, start, end, self._color(color_rgb), max(1, round(width)), cv2.LINE_AA, _SHIFT)

    def disc(self, point: F64, color_rgb: Rgb, *, radius: float, alpha: float) -> None:
        """Draw a filled circle about a (2,) point."""
        with self._layer(point[None], 2 * radius, alpha) as (layer, origin):
            (centre,) = _fixed(point[None] - origin)
            size = round(radius * 2**_SHIFT)
            cv2.circle(layer, centre, size, self._color(color_rgb), cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def frame(self, box: F64) -> None:
        """Draw the outline of a (4,) box, xyxy."""
        corners = box.reshape(2, 2)
        if not is_drawable(corners).all():
            return
        width = max(1.0, self.width * _FRAME_WIDTH)
        with self._layer(corners, width, _FRAME_ALPHA) as (layer, origin):
            start, end = _fixed(corners - origin)
            cv2.rectangle(layer, start, end, self._color(self.middle), round(width), cv2.LINE_AA, _SHIFT)

    def label(self, box: F64, text: str) -> None:
        """Write at the upper left corner of a box, inside the picture; dark around, as the lines are."""
        if not is_drawable(box.reshape(2, 2)).all():
            return
        height = max(_MIN_LETTER_HEIGHT, self.width * _LETTER_HEIGHT)
        thick = max(1, round(height * _LETTER_THICKNESS))
        font, scale = cv2.FONT_HERSHEY_SIMPLEX, height / _FONT_HEIGHT
        (length, _), _ = cv2.getTextSize(text, font, scale, thick)
        highest = np.maximum(0, np.array(self.canvas.shape[1::-1]) - (length, 0))
        start = np.clip(box[:2] - (0, 2 * thick), (0, height + 2 * thick), highest)
        area = np.array([[start[0], start[1] - height], [start[0] + length, start[1]]])
        with self._layer(area, 2 * thick, 1) as (layer, origin):
            place = tuple((start - origin).round().astype(int).tolist())
            for color, width in ((OUTLINE_RGB, 3 * thick), (self._color(self.middle), thick)):
                cv2.putText(layer, text, place, font, scale, color, width, cv2.LINE_AA)

    def _color(self, color_rgb: Rgb) -> Rgb:
        return color_rgb[::-1]

    @contextmanager
    def _layer(self, points: F64, width: float, alpha: float) -> Iterator[tuple[Image, F64]]:
        """Give a copy of the canvas around `points`, and its origin; blend it in afterwards."""
        limits = np.array(self.canvas.shape[1::-1])
        margin = math.ceil(width) + 1
        low = np.clip(np.floor(points.min(axis=0)) - margin, 0, limits).astype(int)
        high = np.clip(np.ceil(points.max(axis=0)) + margin + 1, 0, limits).astype(int)
        region = self.canvas[low[1] : high[1], low[0] : high[0]]
        layer = region.copy() if region.size else np.empty((1, 1, 3), np.uint8)
        yield layer, low.astype(np.float64)
        if region.size:
            region[:] = cv2.addWeighted(layer, alpha, region, 1 - alpha, 0)


def id_color(number: int) -> Rgb:
    """Return a bright colour (RGB), the same for the same id in every picture."""
    place = number * _HUE_STEP % 1
    hue = place / 2 + (_GREENS_FROM if place < 1 / 2 else _PINKS_FROM - 1 / 4)
    red, green, blue = colorsys.hsv_to_rgb(hue, _SATURATION, 1)
    return round(red * 255), round(green * 255), round(blue * 255)


def is_drawable(points: F64) -> NDArray[np.bool_]:
    """Return, for (..., 2) points, which are finite and near enough for OpenCV's fixed-point arithmetic."""
    drawable: NDArray[np.bool_] = np.all(np.abs(np.nan_to_num(points, nan=np.inf)) < _FAR_AWAY, axis=-1)
    return drawable


def _fixed(points: F64) -> list[tuple[int, int]]:
    return [(round(x * 2**_SHIFT), round(y * 2**_SHIFT)) for x, y in points.tolist()]
