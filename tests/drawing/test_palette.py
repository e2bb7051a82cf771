"""Colours: people and sides are told apart, and neighbours have different ones."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose_onnx.drawing.palette import PERSON_COLORS_RGB, SIDE_COLORS_RGB, Rgb, person_colors

COUNT = len(PERSON_COLORS_RGB)


def in_lab(color: Rgb) -> np.ndarray:
    picture = np.array([[color]], np.float32) / 255
    lab: np.ndarray = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[0, 0]
    return lab


def test_any_two_colours_are_told_apart() -> None:
    # 2.3 is just noticeable; 40 is about as far as from green to yellow-green twice over.
    for one, other in combinations([*PERSON_COLORS_RGB, *SIDE_COLORS_RGB.values()], 2):
        assert np.linalg.norm(in_lab(one) - in_lab(other)) > 40, (one, other)


def squares(corners: list[tuple[float, float]], size: float = 10) -> np.ndarray:
    low = np.array(corners, np.float32).reshape(-1, 2)
    return np.concatenate([low, low + np.float32(size)], axis=1)


def test_people_have_the_colour_of_their_id_in_every_picture() -> None:
    far_apart = squares([(0, 0), (1000, 0), (0, 1000)])
    for ids in ([3, 4, 5], [5, 3, 4], [11, 3, 2]):
        assert person_colors(far_apart, np.array(ids)) == [
            PERSON_COLORS_RGB[number % COUNT] for number in ids
        ]


def test_a_neighbour_with_the_same_colour_gets_another() -> None:
    near, far = squares([(0, 0), (12, 0)]), squares([(0, 0), (100, 0)])
    ids = np.array([1 + COUNT, 1])
    assert person_colors(near, ids)[1] == PERSON_COLORS_RGB[1] != person_colors(near, ids)[0]
    assert person_colors(far, ids) == [PERSON_COLORS_RGB[1]] * 2


@settings(deadline=None)  # a busy machine
@given(seed=st.integers(0, 1000), people=st.integers(0, 60), with_ids=st.booleans())
def test_of_a_crowd_in_rows_no_neighbours_look_alike(seed: int, people: int, *, with_ids: bool) -> None:
    # Boxes of 10, gaps of 4 beside and of 30 below: everybody has two neighbours at most, so that the
    # colours suffice in any order.
    places = [(14.0 * (index % 8), 40.0 * (index // 8)) for index in range(people)]
    ids = np.random.default_rng(seed).permutation(1000)[:people] if with_ids else None
    colors = person_colors(squares(places), ids)
    for index in range(people - 1):
        if (index + 1) % 8:
            assert colors[index] != colors[index + 1]


def test_more_people_in_one_place_than_colours() -> None:
    colors = person_colors(squares([(0, 0)] * (2 * COUNT)))
    assert set(colors) == set(PERSON_COLORS_RGB)


@pytest.mark.parametrize("ids", [None, np.array([7, 8, 7])])
@settings(deadline=None)  # a busy machine
@given(boxes=arrays(np.float32, (3, 4), elements=st.floats(width=32)))
def test_any_boxes_at_all_have_colours(boxes: np.ndarray, ids: np.ndarray | None) -> None:
    assert len(person_colors(boxes, ids)) == 3
