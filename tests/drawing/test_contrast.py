"""What is drawn is legible on any ground: contrast by WCAG 2, which asks 3 of graphics and 4.5 of text."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pose_onnx import Poses, draw_poses
from pose_onnx.drawing.palette import DARK_RGB, LIGHT_RGB, PERSON_COLORS_RGB, SIDE_COLORS_RGB

GRAPHICS, TEXT = 3.0, 4.5
SIZE = (240, 320)
GROUNDS = {
    "white": np.full((*SIZE, 3), 255, np.uint8),
    "black": np.zeros((*SIZE, 3), np.uint8),
    "grey": np.full((*SIZE, 3), 128, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8),
}


def luminance(rgb: object) -> np.ndarray:
    """Return WCAG's relative luminance of (..., 3) colours."""
    value = np.asarray(rgb, np.float64) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light: np.ndarray = linear @ np.array([0.2126, 0.7152, 0.0722])
    return light


def contrast(one: object, other: object) -> np.ndarray:
    lights = np.stack(np.broadcast_arrays(luminance(one), luminance(other)))
    ratio: np.ndarray = (lights.max(axis=0) + 0.05) / (lights.min(axis=0) + 0.05)
    return ratio


@pytest.mark.parametrize("color", [*PERSON_COLORS_RGB, *SIDE_COLORS_RGB.values(), LIGHT_RGB])
def test_every_colour_stands_out_from_its_rim_and_letters_from_their_plate(
    color: tuple[int, int, int],
) -> None:
    assert contrast(color, DARK_RGB) > TEXT


def person(score: float) -> Poses:
    return Poses(
        np.array([[(60, 60), (60, 180), (160, 60), (160, 180)]], np.float32),
        np.full((1, 4), score, np.float32),
        np.array([[20, 30, 319, 239]], np.float32),  # two sides are at the picture's edge
        np.full(1, 0.5, np.float32),
        ("left_hip", "left_knee", "right_hip", "right_knee"),
        skeleton=((0, 1), (2, 3), (0, 2)),
    )


@pytest.mark.parametrize("score", [0.2, 0.9])
@pytest.mark.parametrize("width", [None, 1.5, 6.0])
@pytest.mark.parametrize("ground", GROUNDS)
def test_line_box_and_joint_have_a_bright_and_a_dark_part_wherever_they_are_cut(
    ground: str, width: float | None, score: float
) -> None:
    drawn = draw_poses(GROUNDS[ground], person(score), line_width=width)[:, :, ::-1]
    cuts = {
        "upright line": drawn[120, 50:71],
        "level line": drawn[50:71, 110],
        "left joint": drawn[50:71, 60],
        "left side of the box": drawn[120, 10:31],
        "right side, at the edge": drawn[120, 309:],
        "lower side, at the edge": drawn[229:, 200],
    }
    untouched = GROUNDS[ground][:, :, ::-1]
    for name, cut in cuts.items():
        is_dark = luminance(cut) < 0.06
        is_bright = np.min([np.abs(cut - np.array(c, float)).max(axis=1) for c in
                            (*PERSON_COLORS_RGB, *SIDE_COLORS_RGB.values())], axis=0) < 40  # fmt: skip
        assert is_dark.any(), name
        assert is_bright.any(), name
        # Whatever is behind, one of the two stands out from it, and each always from the other.
        bright, dark = cut[is_bright][0], cut[is_dark][0]
        assert contrast(bright, dark) > GRAPHICS, name
        if ground in {"white", "black"}:
            assert max(contrast(bright, untouched[0, 0]), contrast(dark, untouched[0, 0])) > GRAPHICS, name


def test_letters_on_noise() -> None:
    drawn = draw_poses(GROUNDS["noise"], person(0.9), scores=True, line_width=4)
    plate = (drawn == PERSON_COLORS_RGB[0][::-1]).all(axis=2)
    number, _, stats, _ = cv2.connectedComponentsWithStats(plate.astype(np.uint8))
    _left, _top, _width, _height, area = stats[1:][stats[1:, cv2.CC_STAT_AREA].argmax()]
    assert number > 1
    assert area > 200
