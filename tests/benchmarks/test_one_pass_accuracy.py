"""Heads drawn from annotations come back as people, and lose what their error predicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pose_onnx.core.people import PeopleHeads, decode_people
from pose_onnx.evaluation import Dataset

PICTURES = 40


@pytest.fixture(scope="module")
def drawing(script: Callable[[str], ModuleType]) -> Any:
    pytest.importorskip("pycocotools", reason="needs pose-onnx[eval]")
    return script("one_pass_accuracy")


@pytest.fixture(scope="module")
def pictures(shared: Path) -> Dataset:
    folder = shared / "coco_dev"
    return Dataset(folder / "person_keypoints_dev.json", folder / "images", PICTURES)


@pytest.mark.parametrize("name", ["perfect heads", "no maps of joints"])
def test_people_drawn_as_blobs_come_back(drawing: Any, pictures: Dataset, name: str) -> None:
    ap, _ = drawing.measure(pictures, drawing.DRAWINGS[name])
    assert ap > 95


@pytest.mark.parametrize("name", ["no offsets in a cell", "no maps of joints, noise of 1 cell"])
def test_an_error_costs_what_it_must(drawing: Any, pictures: Dataset, name: str) -> None:
    """Within 0.03: there are a few hundred joints, of a few people who are small and weigh as much."""
    draw = drawing.DRAWINGS[name]
    ap, oks = drawing.measure(pictures, draw)
    assert oks == pytest.approx(drawing.predicted_oks(pictures, draw), abs=0.03)
    assert ap < 95


def test_blur_costs_nothing_until_the_peaks_are_too_low(drawing: Any, pictures: Dataset) -> None:
    """Peaks fall to s**2 / (s**2 + b**2): below 0.1, where they are no longer taken, from b = 3 s on.

    Then the joints are as far off as they are regressed. Until then only people who are closer than 2 S to
    each other are lost, which is hardly anybody in these pictures.
    """
    assert 4 < 3 * drawing.SPREAD < 5
    draws = [drawing.DRAWINGS[f"the same, by {blur} cells"] for blur in (4, 5)]
    (before, kept), (after, left) = (drawing.measure(pictures, draw) for draw in draws)
    assert (before > 90, after < 60) == (True, True)
    for oks, draw in zip((kept, left), draws, strict=True):
        assert oks == pytest.approx(drawing.predicted_oks(pictures, draw), abs=0.03)


@pytest.mark.parametrize("columns", [(20, 26), (20, 28), (20, 29), (20, 30), (20, 34), (20, 29, 43)])
def test_blurred_people_are_as_many_as_there_are_peaks(drawing: Any, columns: tuple[int, ...]) -> None:
    """Each is where a peak of the sum of the blobs is; as high as there; and none is missing or made up."""
    blur = 4.0
    centers = np.zeros((1, 40, 64), np.float32)
    for column in columns:
        drawing._blob(centers[0], np.array([column, 20]))
    even = np.zeros((2, 40, 64), np.float32)
    heads = PeopleHeads(drawing.blurred(centers, blur), even + 20, even, even)
    people = decode_people(heads, threshold=np.float32(0.01))
    peaks, heights = drawing.peaks_of(np.array([[column, 20] for column in columns]), blur)
    height_at = dict(zip(peaks[:, 0].round().tolist(), heights, strict=True))
    found = people.boxes[:, [0, 2]].mean(axis=1)
    assert sorted(found.tolist()) == sorted(height_at)
    np.testing.assert_allclose(people.scores, [height_at[column] for column in found.tolist()], rtol=0.05)


@pytest.mark.parametrize("distance", [6, 8, 9, 10, 14])
def test_two_peaks_are_one_where_theory_says(drawing: Any, distance: int) -> None:
    """Nearer than 2 S there is one, in the middle; beyond, two, m = d / 2 tanh(d m / 2 S**2) from it."""
    variance = drawing.SPREAD**2 + 4.0**2
    assert 8 < 2 * np.sqrt(variance) < 9
    off = distance / 2
    for _ in range(1000):
        off = distance / 2 * np.tanh(distance * off / (2 * variance))
    assert (off > 1) == (distance >= 9)
    peaks, _ = drawing.peaks_of(np.array([[0, 0], [distance, 0]]), 4.0)
    np.testing.assert_allclose(peaks[:, 0], [distance / 2 - off, distance / 2 + off], atol=1e-2)
