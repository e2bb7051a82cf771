"""Pictures with as many people as are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_onnx import InputError, PoseEstimator, load_image
from pose_onnx.bench import gather, repeat_picture, threshold_for
from pose_onnx.bench._crowd import LOWEST_SCORE
from pose_onnx.core.images import decode_image

PHOTO = Path(__file__).parents[2] / "models" / "photos" / "camera.jpg"


@pytest.mark.parametrize("people", [1, 3, 6])
def test_just_so_many_people_are_found(people: int) -> None:
    crowd = gather(load_image(PHOTO), people, {"threads": 1})
    with PoseEstimator(threads=1, threshold=crowd.threshold) as estimator:
        assert len(estimator(decode_image(crowd.jpeg, "crowd"))) == people


def test_what_cannot_be_gathered_is_said(tiny_detector: Path) -> None:
    image = load_image(PHOTO)
    with pytest.raises(InputError, match="people=0 was given"):
        gather(image, 0, {})
    with pytest.raises(InputError, match="nobody is found"):
        gather(np.zeros_like(image), 2, {"detector": tiny_detector})
    with pytest.raises(InputError, match="of 5000 people are found"):
        gather(image, 5000, {})


@pytest.mark.parametrize(
    ("copies", "shape"),
    [(1, (100, 50)), (2, (100, 100)), (5, (200, 150)), (9, (300, 150)), (400, (20 * 64, 20 * 32))],
)
def test_copies_fill_a_grid_that_stays_small(copies: int, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (100, 50, 3), np.uint8)
    assert repeat_picture(picture, copies).shape == (*shape, 3)


def test_a_large_picture_is_left_as_large() -> None:
    assert repeat_picture(np.zeros((2000, 1000, 3), np.uint8), 1).shape == (2000, 1000, 3)


@given(st.lists(st.integers(1, 900), min_size=1, unique=True), st.data())
def test_the_threshold_cuts_where_it_should(values: list[int], data: st.DataObject) -> None:
    scores = (LOWEST_SCORE + np.sort(np.array(values))[::-1] / 1000).astype(np.float32)
    people = data.draw(st.integers(1, len(scores)))
    assert (scores > threshold_for(scores, people)).sum() == people
