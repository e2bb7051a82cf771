"""Draw poses into a copy of a picture."""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose_onnx._cv import cv2
from pose_onnx._errors import InputError
from pose_onnx._image import Color, ImageSource, load_image
from pose_onnx._types import F64, Image, Poses
from pose_onnx._zoo import card_names, load_card

Skeleton: TypeAlias = Sequence[tuple[int, int]]
_Color: TypeAlias = tuple[int, int, int]

# Warm is left, cold is right (the person's own left), told apart by people with a red-green deficiency too.
_SIDE_COLORS_RGB: Final = MappingProxyType(
    {"left": (255, 140, 0), "right": (0, 160, 255), "middle": (240, 240, 240)}
)
_OUTLINE_RGB: Final = (20, 20, 20)
_SIDE_WORDS: Final = MappingProxyType({"left": "left", "l": "left", "right": "right", "r": "right"})

_WIDTH_PER_IMAGE: Final = 1 / 160  # line width over the geometric mean of the image's sides
_WIDTH_PER_PERSON: Final = 1 / 50  # and at most so much of the person's box, that far ones stay visible
_MIN_WIDTH: Final = 1.0  # pixels
_OUTLINE: Final = 0.5  # of the line width, on either side
_JOINT_RADIUS: Final = 1.0  # in line widths
_FRAME_WIDTH: Final = 0.35  # in line widths
_FRAME_ALPHA: Final = 0.8

_HUE_STEP: Final = (math.sqrt(5) - 1) / 2  # golden ratio: hues of ids that follow each other are far apart
_GREENS_FROM: Final = 0.2  # a quarter of the hues from here, and one from the next: neither orange nor blue
_PINKS_FROM: Final = 0.7
_SATURATION: Final = 0.6
_LETTER_HEIGHT: Final = 6.0  # in line widths
_MIN_LETTER_HEIGHT: Final = 9.0  # pixels
_LETTER_THICKNESS: Final = 1 / 8  # of a letter's height
_FONT_HEIGHT: Final = 21.0  # pixels of a capital of OpenCV's Hershey font at scale 1

_SURE_SCORE: Final = 0.6  # from this score on a joint is drawn opaque
_FAINTEST: Final = 0.35  # opacity of a joint that just reaches `min_score`

_LEAST_RANGE: Final = 1e-6  # of scores; keeps the division finite where `min_score` is `_SURE_SCORE` or more

_SHIFT: Final = 4  # OpenCV draws at 1 / 2**4 pixel
_FAR_AWAY: Final = 1e6  # pixels; beyond, OpenCV's fixed-point coordinates would overflow


def draw_poses(
    image: ImageSource,
    poses: Poses,
    *,
    skeleton: Skeleton | None = None,
    min_score: float = 0.2,
    boxes: bool = True,
    color: Color = "bgr",
) -> Image:
    """Draw people into a copy of their picture.

    The person's left is orange, the right is blue (by the keypoints' names), what joins both is white. Where
    people have ids, what joins both and the box have a colour of the id, the same in every picture, and the
    id stands at the box. Lines are as wide as fits image and person. The surer a joint, the more opaque; one
    below `min_score`, and the lines that end there, are left out.

    Args:
        image: Path, or (H, W, 3) uint8 array; never written to.
        poses: What `PoseEstimator` found in it.
        skeleton: Index pairs of keypoints to join; `None`: those of the model card with the same keypoint
            names, or none where there is no such card.
        min_score: Joints below this score are not drawn.
        boxes: Whether to draw the people's boxes and ids too.
        color: Channel order of an array, and of the result.

    Returns:
        (H, W, 3) uint8, a new array.

    Raises:
        InputError: The image cannot be used, or the skeleton names a keypoint that is not there.
    """
    canvas: Image = load_image(image).copy()
    limbs = skeleton_of(poses.names) if skeleton is None else _checked(skeleton, len(poses.names))
    painter = _Painter(canvas, reverse=color != "rgb")
    for index in range(len(poses)):
        box = poses.boxes[index].astype(np.float64)
        painter.width = _line_width(canvas.shape, box)
        if poses.ids is not None:
            painter.middle = _id_color(int(poses.ids[index]))
        if boxes:
            painter.frame(box)
        points = poses.keypoints[index].astype(np.float64)
        scores = np.where(_is_drawable(points), poses.scores[index], -np.inf)
        _draw_person(painter, points, _opacity(scores, min_score), limbs, poses.names)
        if boxes and poses.ids is not None:
            painter.label(box, str(poses.ids[index]))
    return canvas


@cache
def skeleton_of(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return the skeleton of the first model card with these keypoints; nothing if there is none."""
    cards = (load_card(name) for name in card_names())
    return next((card.skeleton for card in cards if card.keypoints == names), ())


@dataclass(slots=True)
class _Painter:
    """Draws shapes, each with its own opacity, touching only the pixels around it."""

    canvas: Image
    reverse: bool
    width: float = _MIN_WIDTH
    middle: _Color = _SIDE_COLORS_RGB["middle"]

    def line(self, points: F64, color_rgb: _Color, *, width: float, alpha: float) -> None:
        with self._layer(points, width, alpha) as (layer, origin):
            start, end = _fixed(points - origin)
            cv2.line(layer, start, end, self._color(color_rgb), max(1, round(width)), cv2.LINE_AA, _SHIFT)

    def disc(self, point: F64, color_rgb: _Color, *, radius: float, alpha: float) -> None:
        with self._layer(point[None], 2 * radius, alpha) as (layer, origin):
            (centre,) = _fixed(point[None] - origin)
            size = round(radius * 2**_SHIFT)
            cv2.circle(layer, centre, size, self._color(color_rgb), cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def frame(self, box: F64) -> None:
        corners = box.reshape(2, 2)
        if not _is_drawable(corners).all():
            return
        width = max(1.0, self.width * _FRAME_WIDTH)
        with self._layer(corners, width, _FRAME_ALPHA) as (layer, origin):
            start, end = _fixed(corners - origin)
            cv2.rectangle(layer, start, end, self._color(self.middle), round(width), cv2.LINE_AA, _SHIFT)

    def label(self, box: F64, text: str) -> None:
        """Write at the upper left corner of a box, inside the picture; dark around, as the lines are."""
        if not _is_drawable(box.reshape(2, 2)).all():
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
            for color, width in ((_OUTLINE_RGB, 3 * thick), (self._color(self.middle), thick)):
                cv2.putText(layer, text, place, font, scale, color, width, cv2.LINE_AA)

    def _color(self, color_rgb: _Color) -> _Color:
        return color_rgb[::-1] if self.reverse else color_rgb

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


def _draw_person(
    painter: _Painter, points: F64, alphas: F64, limbs: Skeleton, names: tuple[str, ...]
) -> None:
    """Draw lines, then joints; each first as a dark outline, so that it shows on any ground."""
    width, outline = painter.width, 2 * painter.width * _OUTLINE
    colors = {**_SIDE_COLORS_RGB, "middle": painter.middle}
    drawn = [limb for limb in limbs if alphas[list(limb)].all()]
    for limb in drawn:
        alpha = float(alphas[list(limb)].min())
        painter.line(points[list(limb)], _OUTLINE_RGB, width=width + outline, alpha=alpha)
    for limb in drawn:
        sides = {_side(names[index]) for index in limb} - {"middle"}
        color = colors[sides.pop() if len(sides) == 1 else "middle"]
        painter.line(points[list(limb)], color, width=width, alpha=float(alphas[list(limb)].min()))
    radius = width * _JOINT_RADIUS
    for index in np.flatnonzero(alphas):
        color, alpha = colors[_side(names[index])], float(alphas[index])
        painter.disc(points[index], _OUTLINE_RGB, radius=radius + outline / 2, alpha=alpha)
        painter.disc(points[index], color, radius=radius, alpha=alpha)


def _id_color(number: int) -> _Color:
    """Return a bright colour (RGB), the same for the same id in every picture."""
    place = number * _HUE_STEP % 1
    hue = place / 2 + (_GREENS_FROM if place < 1 / 2 else _PINKS_FROM - 1 / 4)
    red, green, blue = colorsys.hsv_to_rgb(hue, _SATURATION, 1)
    return round(red * 255), round(green * 255), round(blue * 255)


def _line_width(shape: tuple[int, ...], box: F64) -> float:
    """Return the line width in pixels for one person."""
    of_image = math.sqrt(shape[0] * shape[1]) * _WIDTH_PER_IMAGE
    # A box may be anywhere, infinite or NaN: only what of it is inside the picture counts.
    corners = np.nan_to_num(box).reshape(2, 2).clip(0, np.array(shape[1::-1]))
    of_person = math.sqrt(max(0.0, float(np.prod(corners[1] - corners[0])))) * _WIDTH_PER_PERSON
    return max(_MIN_WIDTH, min(of_image, of_person))


def _opacity(scores: F64, min_score: float) -> F64:
    """Return (K,) opacities: 0 below `min_score`, then rising to 1."""
    sureness = np.clip((scores - min_score) / max(_SURE_SCORE - min_score, _LEAST_RANGE), 0, 1)
    return np.where(scores >= min_score, _FAINTEST + (1 - _FAINTEST) * sureness, 0.0)


def _side(name: str) -> str:
    """Return "left", "right" or "middle", by the words of a keypoint's name."""
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return next((_SIDE_WORDS[word] for word in words if word in _SIDE_WORDS), "middle")


def _is_drawable(points: F64) -> NDArray[np.bool_]:
    drawable: NDArray[np.bool_] = np.all(np.abs(np.nan_to_num(points, nan=np.inf)) < _FAR_AWAY, axis=-1)
    return drawable


def _fixed(points: F64) -> list[tuple[int, int]]:
    return [(round(x * 2**_SHIFT), round(y * 2**_SHIFT)) for x, y in points.tolist()]


def _checked(skeleton: Skeleton, count: int) -> Skeleton:
    for limb in skeleton:
        if min(limb) < 0 or max(limb) >= count:
            raise InputError(f"the skeleton joins {tuple(limb)}; give index pairs below {count}")
    return skeleton
