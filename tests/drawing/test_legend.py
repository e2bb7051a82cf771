"""The legend: below the picture, as large as the picture allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pose_onnx import Poses, draw_poses
from pose_onnx.drawing.palette import DARK_RGB, PERSON_COLORS_RGB, SIDE_COLORS_RGB

NOBODY = Poses(
    np.empty((0, 1, 2), np.float32),
    np.empty((0, 1), np.float32),
    np.empty((0, 4), np.float32),
    np.empty(0, np.float32),
    ("nose",),
)


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 640), (1080, 1920), (640, 200), (50, 3000)])
def test_it_is_below_the_picture_which_stays_as_it_is(height: int, width: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    drawn = draw_poses(picture, NOBODY, legend=True)
    assert np.array_equal(drawn[:height], picture)
    strip = drawn[height:, :, ::-1]
    assert 10 < len(strip) < max(100, height / 2)
    assert len(strip) % 2 == 0
    for color in (*SIDE_COLORS_RGB.values(), *PERSON_COLORS_RGB[:3]):
        assert (strip == color).all(axis=2).any()
    margin = 2  # nothing runs beyond the picture's sides
    assert (strip[:, -margin:] == DARK_RGB).all()
    assert (strip[:, :margin] == DARK_RGB).all()


def test_a_picture_too_narrow_for_it_has_none() -> None:
    picture = np.zeros((400, 20, 3), np.uint8)
    assert np.array_equal(draw_poses(picture, NOBODY, legend=True), picture)


@example(width=113)  # where a cell is as wide as the picture, the quotient was below 1
@given(width=st.integers(1, 400))
def test_a_picture_of_any_width_can_have_one(width: int) -> None:
    drawn = draw_poses(np.zeros((240, width, 3), np.uint8), NOBODY, legend=True)
    assert drawn.shape[1] == width


def test_its_height_does_not_depend_on_who_is_there() -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    somebody = Poses(
        np.full((1, 1, 2), 50, np.float32),
        np.ones((1, 1), np.float32),
        np.array([[10, 10, 30, 40]], np.float32),
        np.ones(1, np.float32),
        ("nose",),
    )
    assert draw_poses(picture, somebody, legend=True).shape == draw_poses(picture, NOBODY, legend=True).shape
