"""Shapes on a picture, each with a dark rim so that it is visible on any background."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F64, Image
from pose_onnx.core.opencv import cv2
from pose_onnx.drawing.palette import DARK_RGB, Rgb

MIN_WIDTH: Final = 1.5  # pixels; of a line, without its rim

_MIN_RADIUS: Final = 1.5  # pixels; of a disc, without its rim

_RIM: Final = 0.4  # of the line width, on either side
_MIN_RIM: Final = 1.0  # pixels

_DASH: Final = 4.0  # in line widths, rim included

_FONT_HEIGHT: Final = 21.0  # pixels of a capital of OpenCV's Hershey font at scale 1
_STROKE: Final = 1 / 8  # of a letter's height
_PADDING: Final = 0.4  # around a word on its plate, in letter heights

_SHIFT: Final = 4  # OpenCV draws at 1 / 2**4 pixel
_FAR_AWAY: Final = 1e6  # pixels; beyond, OpenCV's fixed-point coordinates would overflow
_WIDEST: Final = 32767  # pixels; OpenCV draws no wider line


@dataclass(frozen=True, slots=True)
class Painter:
    """Draws shapes onto a picture.

    Attributes:
        canvas: (H, W, 3) uint8, BGR; written to.
    """

    canvas: Image

    def lines(self, pairs: list[F64], colors: list[Rgb], widths: list[float]) -> None:
        """Draw lines between (2, 2) points: all rims first, so that no rim cuts another line."""
        for points, width in zip(pairs, widths, strict=True):
            self._line(points, DARK_RGB, width + 2 * _rim(width))
        for points, color, width in zip(pairs, colors, widths, strict=True):
            self._line(points, color, width)

    def disc(self, point: F64, color: Rgb, radius: float) -> None:
        """Draw a filled circle around a (2,) point."""
        (centre,) = _fixed(point[None])
        radius = max(_MIN_RADIUS, radius)
        for paint, size in ((DARK_RGB, radius + _rim(radius)), (color, radius)):
            cv2.circle(
                self.canvas, centre, round(size * 2**_SHIFT), paint[::-1], cv2.FILLED, cv2.LINE_AA, _SHIFT
            )

    def frame(self, box: F64, color: Rgb, width: float, *, dashed: bool = False) -> None:
        """Draw a (4,) box, xyxy, on whole pixels; sides outside the picture are drawn along its edge."""
        corners = box.reshape(2, 2)
        limits = np.array(self.canvas.shape[1::-1], np.float64)
        if not is_drawable(corners).all() or (corners[0] >= limits).any() or (corners[1] < 0).any():
            return
        thick, dark = max(1, round(width)), round(_rim(width))
        inset = thick // 2 + dark
        low, high = corners.clip(inset, np.maximum(limits - 1 - inset, inset)).round().astype(int)
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        dash = _DASH * (thick + 2 * dark) if dashed else math.inf
        level = [(start, y, end, y) for start, end in _dashes(left, right, dash) for y in (top, bottom)]
        upright = [(x, start, x, end) for start, end in _dashes(top, bottom, dash) for x in (left, right)]
        for rim, paint in ((dark, DARK_RGB), (0, color)):
            before, after = thick // 2 + rim, (thick + 1) // 2 + rim
            for x1, y1, x2, y2 in (*level, *upright):
                self.canvas[max(0, y1 - before) : y2 + after, max(0, x1 - before) : x2 + after] = paint[::-1]

    def plate(self, corner: F64, text: str, color: Rgb, height: float) -> None:
        """Write dark letters of a given height on a coloured plate whose upper left corner is given."""
        start = corner.round().astype(int)
        ends = start.tolist(), (start + plate_size(text, height).astype(int) - 1).tolist()
        cv2.rectangle(self.canvas, *ends, color[::-1], cv2.FILLED)
        cv2.rectangle(self.canvas, *ends, DARK_RGB[::-1], 1)
        self.text(corner + _PADDING * height, text, DARK_RGB, height)

    def text(self, corner: F64, text: str, color: Rgb, height: float) -> None:
        """Write letters of a given height; their upper left corner is given."""
        x, y = (round(float(value)) for value in (corner[0], corner[1] + height))
        thick = _stroke(height)
        cv2.putText(
            self.canvas,
            _drawable(text),
            (x, y),
            cv2.FONT_HERSHEY_SIMPLEX,
            height / _FONT_HEIGHT,
            color[::-1],
            thick,
            cv2.LINE_AA,
        )

    def _line(self, points: F64, color: Rgb, width: float) -> None:
        start, end = _fixed(points)
        width = min(max(1, round(width)), _WIDEST)
        cv2.line(self.canvas, start, end, color[::-1], width, cv2.LINE_AA, _SHIFT)


def text_length(text: str, height: float) -> float:
    """Return the length in pixels of a text in letters of a given height."""
    scale, thick = height / _FONT_HEIGHT, _stroke(height)
    (length, _), _ = cv2.getTextSize(_drawable(text), cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    return float(length)


def plate_size(text: str, height: float) -> F64:
    """Return the (2,) width and height of a plate in pixels."""
    return np.ceil(np.array([text_length(text, height), height]) + 2 * _PADDING * height)


def is_drawable(points: F64) -> NDArray[np.bool_]:
    """Return which of (..., 2) points are finite and near enough for OpenCV's fixed-point arithmetic."""
    drawable: NDArray[np.bool_] = np.all(np.abs(np.nan_to_num(points, nan=np.inf)) < _FAR_AWAY, axis=-1)
    return drawable


def _drawable(text: str) -> str:
    return text.encode(errors="replace").decode()  # OpenCV crashes on lone surrogates


def _rim(width: float) -> float:
    return max(_MIN_RIM, width * _RIM)


def _stroke(height: float) -> int:
    return max(1, round(height * _STROKE))


def _dashes(start: int, end: int, length: float) -> list[tuple[int, int]]:
    """Return where dashes between two pixels start and end; gaps are equally long; both ends have a dash."""
    gaps = max(0, math.ceil((end - start) / length / 2))
    cuts = np.linspace(start, end, 2 * gaps + 2).round().astype(int).tolist()
    return list(zip(cuts[::2], cuts[1::2], strict=True))


def _fixed(points: F64) -> list[tuple[int, int]]:
    return [(round(x * 2**_SHIFT), round(y * 2**_SHIFT)) for x, y in points.tolist()]
