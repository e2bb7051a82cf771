"""Draw poses into a copy of a picture."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np

from pose_onnx.core.arrays import F64, Image
from pose_onnx.core.images import Color, check_color
from pose_onnx.drawing.painter import MIN_WIDTH, NEUTRAL_RGB, OUTLINE_RGB, Painter, id_color, is_drawable
from pose_onnx.errors import InputError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.poses import Poses

Skeleton: TypeAlias = Sequence[tuple[int, int]]

# Warm is left, cold is right (the person's own left), told apart by people with a red-green deficiency too.
_SIDE_COLORS_RGB: Final = MappingProxyType(
    {"left": (255, 140, 0), "right": (0, 160, 255), "middle": NEUTRAL_RGB}
)
_SIDE_WORDS: Final = MappingProxyType({"left": "left", "l": "left", "right": "right", "r": "right"})

_WIDTH_PER_IMAGE: Final = 1 / 160  # line width over the geometric mean of the image's sides
_WIDTH_PER_PERSON: Final = 1 / 50  # and at most so much of the person's box, that far ones stay visible
_OUTLINE: Final = 0.5  # of the line width, on either side
_JOINT_RADIUS: Final = 1.0  # in line widths

_SURE_SCORE: Final = 0.6  # from this score on a joint is drawn opaque
_FAINTEST: Final = 0.35  # opacity of a joint that just reaches `min_score`

_LEAST_RANGE: Final = 1e-6  # of scores; keeps the division finite where `min_score` is `_SURE_SCORE` or more


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
    id stands at the box, with what the person does where that is known. Lines are as wide as fits image and
    person. The surer a joint, the more opaque; one below `min_score`, and the lines that end there, are left
    out.

    Args:
        image: Path, or (H, W, 3) uint8 array; never written to.
        poses: What `PoseEstimator` found in it.
        skeleton: Index pairs of keypoints to join; `None`: those that the poses carry.
        min_score: Joints below this score are not drawn.
        boxes: Whether to draw the people's boxes and ids too.
        color: Channel order of an array, and of the result (that of a file, too).

    Returns:
        (H, W, 3) uint8, a new array.

    Raises:
        InputError: The image cannot be used, or the skeleton names a keypoint that is not there.
    """
    check_color(color)
    canvas: Image = load_image(image, color=color).copy()
    limbs = _checked(poses.skeleton if skeleton is None else skeleton, len(poses.names))
    painter = Painter(canvas)
    for index in range(len(poses)):
        box = poses.boxes[index].astype(np.float64)
        painter.width = _line_width(canvas.shape, box)
        if poses.ids is not None:
            painter.middle = id_color(int(poses.ids[index]))
        if boxes:
            painter.frame(box)
        points = poses.keypoints[index].astype(np.float64)
        scores = np.where(is_drawable(points), poses.scores[index], -np.inf)
        _draw_person(painter, points, _opacity(scores, min_score), limbs, poses.names)
        if boxes and (text := _label(poses, index)):
            painter.label(box, text)
    return canvas if color == "bgr" else np.ascontiguousarray(canvas[:, :, ::-1])


def _label(poses: Poses, index: int) -> str:
    """Return what stands at a person's box."""
    number = "" if poses.ids is None else str(poses.ids[index])
    action = poses.actions and poses.actions[index]
    return f"{number} {action.label} {action.probability:.0%}".strip() if action else number


def _draw_person(painter: Painter, points: F64, alphas: F64, limbs: Skeleton, names: tuple[str, ...]) -> None:
    """Draw lines, then joints; each first as a dark outline, so that it shows on any ground."""
    width, outline = painter.width, 2 * painter.width * _OUTLINE
    colors = {**_SIDE_COLORS_RGB, "middle": painter.middle}
    drawn = [limb for limb in limbs if alphas[list(limb)].all()]
    for limb in drawn:
        alpha = float(alphas[list(limb)].min())
        painter.line(points[list(limb)], OUTLINE_RGB, width=width + outline, alpha=alpha)
    for limb in drawn:
        sides = {_side(names[index]) for index in limb} - {"middle"}
        color = colors[sides.pop() if len(sides) == 1 else "middle"]
        painter.line(points[list(limb)], color, width=width, alpha=float(alphas[list(limb)].min()))
    radius = width * _JOINT_RADIUS
    for index in np.flatnonzero(alphas):
        color, alpha = colors[_side(names[index])], float(alphas[index])
        painter.disc(points[index], OUTLINE_RGB, radius=radius + outline / 2, alpha=alpha)
        painter.disc(points[index], color, radius=radius, alpha=alpha)


def _line_width(shape: tuple[int, ...], box: F64) -> float:
    """Return the line width in pixels for one person."""
    of_image = math.sqrt(shape[0] * shape[1]) * _WIDTH_PER_IMAGE
    # A box may be anywhere, infinite or NaN: only what of it is inside the picture counts.
    corners = np.nan_to_num(box).reshape(2, 2).clip(0, np.array(shape[1::-1]))
    of_person = math.sqrt(max(0.0, float(np.prod(corners[1] - corners[0])))) * _WIDTH_PER_PERSON
    return max(MIN_WIDTH, min(of_image, of_person))


def _opacity(scores: F64, min_score: float) -> F64:
    """Return (K,) opacities: 0 below `min_score`, then rising to 1."""
    sureness = np.clip((scores - min_score) / max(_SURE_SCORE - min_score, _LEAST_RANGE), 0, 1)
    return np.where(scores >= min_score, _FAINTEST + (1 - _FAINTEST) * sureness, 0.0)


def _side(name: str) -> str:
    """Return "left", "right" or "middle", by the words of a keypoint's name."""
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return next((_SIDE_WORDS[word] for word in words if word in _SIDE_WORDS), "middle")


def _checked(skeleton: Skeleton, count: int) -> Skeleton:
    for limb in skeleton:
        if min(limb) < 0 or max(limb) >= count:
            raise InputError(f"the skeleton joins {tuple(limb)}; give index pairs below {count}")
    return skeleton
