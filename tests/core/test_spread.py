"""Nobody is seen where there is one colour only, and nobody is lost by that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose_onnx import PRESETS, TopDownEstimator, load_image
from pose_onnx.core.spread import color_spread
from pose_onnx.evaluation import Dataset

LEAST = PRESETS["accurate"].least_spread
BLACK, WHITE, GREY, BLUE = (0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0)


@pytest.fixture(scope="module")
def estimator() -> Iterator[TopDownEstimator]:
    with TopDownEstimator(threads=1) as estimator:
        yield estimator


@pytest.mark.parametrize("color", [BLACK, WHITE, GREY, BLUE])
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (480, 640)])
def test_a_picture_of_one_colour_shows_nobody(
    estimator: TopDownEstimator, color: tuple[int, int, int], size: tuple[int, int]
) -> None:
    picture = np.full((*size, 3), color, np.uint8)
    assert len(estimator(picture)) == len(estimator.find_boxes(picture)) == 0
    assert [len(found) for found in (*estimator.find_many([picture]), *estimator.map([picture]))] == [0, 0]


def test_the_detectors_own_answer_is_left_alone(estimator: TopDownEstimator) -> None:
    assert len(estimator.detector(np.full((480, 640, 3), BLUE, np.uint8))) == 1


def test_the_deployed_pipeline_sees_somebody() -> None:
    with TopDownEstimator(threads=1, preset="paddle", threshold=0.4) as estimator:
        assert len(estimator(np.full((480, 640, 3), BLUE, np.uint8))) == 1


def test_people_on_a_dark_photo_are_kept() -> None:
    photo = load_image(Path(__file__).parents[2] / "models" / "photos" / "astronaut.jpg")
    with TopDownEstimator(threads=1, threshold=0.5) as estimator:  # without a weak box on the darkest
        for share in (1, 0.2, 0.1):
            dark = (photo * share).astype(np.uint8)
            assert len(estimator.find_boxes(dark)) == len(estimator.detector(dark)) == 1


def test_annotated_people_are_far_from_one_colour(shared: Path) -> None:
    dataset = Dataset(shared / "coco_dev" / "person_keypoints_dev.json", shared / "coco_dev" / "images", 60)
    least = min(
        color_spread(load_image(dataset.path(image_id)), boxes.astype(np.float32)).min()
        for image_id in dataset.image_ids
        if len(boxes := dataset.person_boxes(image_id, crowd=False))
    )
    assert least > 10 * LEAST  # of all 360 photos: 10.7, docs/accuracy.md


def test_it_is_the_deviation_of_the_pixels_in_the_box() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    boxes = np.array([[3.2, 4.9, 20.1, 30], [-10, -10, 500, 500], [49.5, 39.5, 49.6, 39.6]], np.float32)
    expected = [image[4:30, 3:21], image, image[39:, 49:]]
    assert color_spread(image, boxes) == pytest.approx([part.std(axis=(0, 1)).max() for part in expected])


@settings(deadline=None)  # a busy machine
@given(boxes=arrays(np.float32, (3, 4), elements=st.floats(-1e9, 1e9, width=32)))
def test_any_box_at_all_has_one(boxes: np.ndarray) -> None:
    image = np.zeros((5, 9, 3), np.uint8)
    assert (color_spread(image, boxes) == 0).all()
