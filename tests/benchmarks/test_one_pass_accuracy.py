"""Heads drawn from annotations come back as people, and lose what their error predicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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
