"""Draw poses on a copy of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np

from pose_onnx.core.arrays import F64, Image
from pose_onnx.core.images import Color, check_color
from pose_onnx.drawing.legend import with_legend
from pose_onnx.drawing.painter import MIN_WIDTH, Painter, is_drawable
from pose_onnx.drawing.palette import SIDE_COLORS_RGB, Rgb, person_colors, side_of
from pose_onnx.drawing.plates import draw_plates, letter_height
from pose_onnx.errors import InputError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.poses import JOINT_THRESHOLD, Poses

Skeleton: TypeAlias = Sequence[tuple[int, int]]

_WIDTH_PER_IMAGE: Final = 1 / 160  # line width over the geometric mean of the image's sides
_WIDTH_PER_PERSON: Final = 1 / 50  # limit relative to the person's box: distant people stay visible
_JOINT_RADIUS: Final = 1.0  # in line widths
_FRAME_WIDTH: Final = 0.35  # in line widths

_SURE_SCORE: Final = 0.6  # a joint with this score or more is drawn at full size
_THINNEST: Final = 0.4  # share of the full width for a joint that just reaches `min_score`

_LEAST_RANGE: Final = 1e-6  # of scores; keeps the division finite where `min_score` is `_SURE_SCORE` or more


def draw_poses(
    image: ImageSource,
    poses: Poses,
    *,
    skeleton: Skeleton | None = None,
    min_score: float = JOINT_THRESHOLD,
    boxes: bool = True,
    scores: bool = False,
    legend: bool = False,
    line_width: float | None = None,
    color: Color = "bgr",
) -> Image:
    """Draw people on a copy of their picture.

    Each person's lines and box have one colour, which follows the id if there are ids; neighbours differ.
    Joints on the person's left are orange, those on the right blue (by the keypoints' names); the others have
    the person's colour. Everything has a dark rim, so that it is visible on any background. Joints with
    higher scores are larger; joints below `min_score`, and lines that end at them, are left out. A person
    without any joint left has a dashed box. The first person, who has the best box, is drawn on top.

    Args:
        image: Path, or (H, W, 3) uint8 array; never written to.
        poses: What `PoseEstimator` found in it.
        skeleton: Index pairs of keypoints to join; `None`: the skeleton stored in the poses.
        min_score: Joints below this score are not drawn.
        boxes: Whether to draw the people's boxes too, with a plate that shows the id and what the person
            does, if known.
        scores: Whether the plates also show the box's score, next to the id.
        legend: Whether to explain the colours on a strip below.
        line_width: Width of skeleton lines, pixels, at most the picture's longer side; `None`: chosen to fit
            picture and person.
        color: Channel order of an array, and of the result (also when the image is a file).

    Returns:
        (H, W, 3) uint8, a new array. With a legend it has more rows than the picture, by an even number.

    Raises:
        InputError: The image cannot be used, the skeleton names a keypoint that does not exist, or the line
            width is not a positive number.
    """
    check_color(color)
    canvas: Image = load_image(image, color=color).copy()
    limbs = _checked(poses.skeleton if skeleton is None else skeleton, len(poses.names))
    line_width = _checked_width(canvas.shape, line_width)
    widths = _line_widths(canvas.shape, poses, line_width)
    painter, people_colors = Painter(canvas), person_colors(poses.boxes, poses.ids)
    for index in reversed(range(len(poses))):
        points = poses.keypoints[index].astype(np.float64)
        seen = np.where(is_drawable(points), poses.scores[index].astype(np.float64), -np.inf)
        shares = _shares(seen, min_score)
        if boxes:
            box, width = poses.boxes[index].astype(np.float64), widths[index] * _FRAME_WIDTH
            painter.frame(box, people_colors[index], width, dashed=not shares.any())
        _draw_person(painter, points, shares * widths[index], limbs, poses.names, people_colors[index])
    if boxes:
        heights = [letter_height(width) for width in widths]
        draw_plates(
            painter, poses.boxes.astype(np.float64), _texts(poses, scores=scores), people_colors, heights
        )
    if legend:
        canvas = with_legend(canvas, line_width or _width_of_image(canvas.shape))
    return canvas if color == "bgr" else np.ascontiguousarray(canvas[:, :, ::-1])


def _draw_person(
    painter: Painter, points: F64, widths: F64, limbs: Skeleton, names: tuple[str, ...], color: Rgb
) -> None:
    """Draw lines, then joints, with widths that follow their scores; those of width 0 are left out."""
    drawn = [list(limb) for limb in limbs if widths[list(limb)].all()]
    painter.lines(
        [points[limb] for limb in drawn], [color] * len(drawn), [float(widths[limb].min()) for limb in drawn]
    )
    for index in np.flatnonzero(widths):
        of_joint = SIDE_COLORS_RGB.get(side_of(names[index]), color)
        painter.disc(points[index], of_joint, float(widths[index]) * _JOINT_RADIUS)


def _texts(poses: Poses, *, scores: bool) -> list[str]:
    """Return the text of each person's plate."""
    words: list[list[str]] = [[] for _ in range(len(poses))]
    for index, text in enumerate(words):
        if poses.ids is not None:
            text.append(f"#{poses.ids[index]}")
        if scores:
            text.append(f"{poses.box_scores[index]:.2f}")
        if poses.actions and (action := poses.actions[index]):
            text.append(f"{action.label} {action.probability:.0%}")
    return [" ".join(text) for text in words]


def _line_widths(shape: tuple[int, ...], poses: Poses, line_width: float | None) -> list[float]:
    """Return the line width in pixels for each person."""
    if line_width is not None:
        return [line_width] * len(poses)
    # A box may be anywhere, infinite or NaN: only the part inside the picture counts.
    corners = np.nan_to_num(poses.boxes.astype(np.float64)).reshape(-1, 2, 2).clip(0, np.array(shape[1::-1]))
    sides = np.maximum(corners[:, 1] - corners[:, 0], 0)
    of_people = np.sqrt(sides.prod(axis=1)) * _WIDTH_PER_PERSON
    widths: list[float] = of_people.clip(MIN_WIDTH, _width_of_image(shape)).tolist()
    return widths


def _checked_width(shape: tuple[int, ...], line_width: float | None) -> float | None:
    if line_width is None:
        return None
    if not 0 < line_width < math.inf:
        raise InputError(f"line_width={line_width!r} was given; give a number of pixels above 0")
    return min(line_width, max(shape))


def _width_of_image(shape: tuple[int, ...]) -> float:
    return max(MIN_WIDTH, math.sqrt(shape[0] * shape[1]) * _WIDTH_PER_IMAGE)


def _shares(scores: F64, min_score: float) -> F64:
    """Return (K,) shares of the line width: 0 below `min_score`, then rising to 1."""
    sureness = np.clip((scores - min_score) / max(_SURE_SCORE - min_score, _LEAST_RANGE), 0, 1)
    return np.where(scores >= min_score, _THINNEST + (1 - _THINNEST) * sureness, 0.0)


def _checked(skeleton: Skeleton, count: int) -> Skeleton:
    for limb in skeleton:
        if min(limb) < 0 or max(limb) >= count:
            raise InputError(f"the skeleton joins {tuple(limb)}; give index pairs below {count}")
    return skeleton
