"""Random views of stored person crops and of stored photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2

MIRRORED: Final = 0.5  # share of views flipped left to right
# person crops
ANGLE_STD: Final = 0.30  # radians; LSP's athletes are seldom upright
MAX_ANGLE: Final = 1.0
UPRIGHT: Final = 0.5  # share of views without rotation
LOG_SCALE: Final = (-0.30, 0.35)  # of the person's size in the view
SHIFT: Final = 0.07  # of the view's size, each way
HALF_BODY: Final = 0.12  # share of views of the upper or lower half
HALF_ZOOM: Final = 1.6
OCCLUDED: Final = 0.15  # share of views with a rectangle painted over
OCCLUSION_SIDE: Final = (0.15, 0.45)  # of the view's sides
CROWDED: Final = 0.10  # share of views with a part of another person at one side
CROWD_WIDTH: Final = (0.2, 0.5)  # of the view's width
CUT: Final = 0.10  # share of views that end early at one side, as at the edge of a photo
CUT_SIDE: Final = (0.05, 0.35)  # of the view's side
COARSE: Final = 0.15  # share of views that are shrunk and enlarged again: people far away
COARSE_SCALE: Final = (0.25, 0.8)
# photos
MOSAIC: Final = 0.35  # share of views made of four photos
PHOTO_LOG_ZOOM: Final = (-0.25, 0.7)
PHOTO_LOG_ASPECT: Final = 0.12  # each side
NATURAL_MOSAIC: Final = 0.1  # the same for views that are nearly whole photos
NATURAL_LOG_ZOOM: Final = (-0.15, 0.3)
BORDER: Final = 114  # grey around photos smaller than the view
# colour
GAIN: Final = 0.25  # log range of contrast
TINT: Final = 0.10  # log range of each channel
OFFSET: Final = 25.0  # grey levels
GREY: Final = 0.08  # share of views without colour


def _affine(scale: float, angle: float, source: NDArray[np.float64], target: NDArray[np.float64],
            *, flip: bool) -> NDArray[np.float64]:  # fmt: skip
    """Map (2,3) that rotates and scales around `source` and moves it to `target`."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if flip:
        turn[:, 0] *= -1
    return np.hstack([turn, (target - turn @ source)[:, None]])


def _warp(image: Image, matrix: NDArray[np.float64], size: tuple[int, int], border: int = 0) -> Image:
    """The image at `size` (width, height) under an affine map (2,3), with grey level `border` outside.

    Views are rotated, which the core's `warp` does not support.
    """
    view: Image = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(border,) * 3)
    return view


def person_view(
    draw: Callable[[], Image], size: tuple[int, int], margin: float, rng: np.random.Generator
) -> Image:
    """A random training image (H,W,3) for keypoints.

    `draw` returns random stored crops that are `margin` times as wide as the network's.
    """
    view = _crop_view(draw(), size, margin, rng)
    if rng.random() < CROWDED:
        _crowd(view, _crop_view(draw(), size, margin, rng), rng)
    if rng.random() < OCCLUDED:
        _occlude(view, rng)
    if rng.random() < CUT:
        _cut(view, rng)
    return _coarse(view, rng) if rng.random() < COARSE else view


def _crop_view(crop: Image, size: tuple[int, int], margin: float, rng: np.random.Generator) -> Image:
    stored = np.array(crop.shape[1::-1], np.float64)
    centre = stored / 2
    scale = size[0] * margin / stored[0] * np.exp(rng.uniform(*LOG_SCALE))
    angle = 0.0
    if rng.random() > UPRIGHT:
        angle = float(np.clip(rng.normal(0, ANGLE_STD), -MAX_ANGLE, MAX_ANGLE))
    if rng.random() < HALF_BODY:
        scale *= HALF_ZOOM
        centre[1] += rng.choice([-1, 1]) * stored[1] / margin / 5
    target = np.array(size) * (0.5 + rng.uniform(-SHIFT, SHIFT, 2))
    matrix = _affine(scale, angle, centre, target, flip=rng.random() < MIRRORED)
    return _warp(crop, matrix, size)


def _crowd(view: Image, other: Image, rng: np.random.Generator) -> None:
    """Cover one side with the middle of another view."""
    whole = view.shape[1]
    width = int(rng.uniform(*CROWD_WIDTH) * whole)
    middle = other[:, (whole - width) // 2 :][:, :width]
    start = int(rng.choice([0, whole - width]))
    view[:, start : start + width] = middle


def _cut(view: Image, rng: np.random.Generator) -> None:
    """Paint one side black, as `training.crops` does it outside a photo."""
    lines = np.moveaxis(view, int(rng.integers(2)), 0)
    depth = int(rng.uniform(*CUT_SIDE) * len(lines))
    lines[rng.choice([0, len(lines) - depth]) :][:depth] = 0


def _coarse(view: Image, rng: np.random.Generator) -> Image:
    """Remove detail."""
    size = view.shape[1::-1]
    scale = rng.uniform(*COARSE_SCALE)
    small = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    enlarged: Image = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    return enlarged


def _occlude(view: Image, rng: np.random.Generator) -> None:
    height, width = view.shape[:2]
    h, w = (rng.uniform(*OCCLUSION_SIDE, 2) * (height, width)).astype(int)
    y, x = rng.integers(0, height - h), rng.integers(0, width - w)
    view[y : y + h, x : x + w] = rng.integers(0, 256, 3)


def colour(images: Image, rng: np.random.Generator) -> Image:
    """Random contrast, tint, brightness and loss of colour per image of (N,H,W,3)."""
    out = np.empty_like(images)
    levels = np.arange(256, dtype=np.float32) - 128
    for image, result in zip(images, out, strict=True):
        gains = np.exp(rng.uniform(-GAIN, GAIN) + rng.uniform(-TINT, TINT, 3))
        offset = 128 + rng.uniform(-OFFSET, OFFSET)
        table = np.clip(levels[:, None] * gains + offset, 0, 255).astype(np.uint8)
        cv2.LUT(image, table.reshape(1, 256, 3), result)
        if rng.random() < GREY:
            result[:] = result.mean(2, keepdims=True)
    return out


def _photo_view(
    photo: Image, size: tuple[int, int], log_zoom: tuple[float, float], rng: np.random.Generator
) -> Image:
    """A random part of a photo, or the photo with a border, at `size` (width, height)."""
    stored = np.array(photo.shape[1::-1], np.float64)
    zoom = np.exp(rng.uniform(*log_zoom))
    aspect = np.exp(rng.uniform(-PHOTO_LOG_ASPECT, PHOTO_LOG_ASPECT, 2))
    scale = zoom * aspect * np.array(size) / stored
    spare = np.array(size) - stored * scale  # negative where the view is smaller than the photo
    offset = spare * rng.random(2)
    if rng.random() < MIRRORED:
        scale[0], offset[0] = -scale[0], offset[0] + stored[0] * scale[0]
    matrix = np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])
    return _warp(photo, matrix, size, BORDER)


def scene_view(
    draw: Callable[[], Image], size: int, rng: np.random.Generator, *, natural: bool = False
) -> Image:
    """A random training image (S,S,3) for the detector.

    `draw` returns random photos. With `natural`, most views are nearly whole photos, as in use.
    """
    mosaic, log_zoom = (NATURAL_MOSAIC, NATURAL_LOG_ZOOM) if natural else (MOSAIC, PHOTO_LOG_ZOOM)
    if rng.random() > mosaic:
        return _photo_view(draw(), (size, size), log_zoom, rng)
    x, y = (rng.uniform(0.3, 0.7, 2) * size).astype(int)
    view = np.empty((size, size, 3), np.uint8)
    for rows in (slice(0, y), slice(y, size)):
        for columns in (slice(0, x), slice(x, size)):
            tile = (columns.stop - columns.start, rows.stop - rows.start)
            view[rows, columns] = _photo_view(draw(), tile, log_zoom, rng)
    return view
