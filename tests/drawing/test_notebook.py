"""Poses show themselves: in one line, as a picture, as a table; and draw and save themselves."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose_onnx import InputError, OutputError, Poses, draw_poses, load_image


def people(count: int) -> Poses:
    rng = np.random.default_rng(count)
    low = rng.uniform(0, 900, (count, 2)).astype(np.float32)
    return Poses(
        low[:, None] + rng.uniform(0, 80, (count, 3, 2)).astype(np.float32),
        np.full((count, 3), 0.9, np.float32),
        np.concatenate([low, low + 80], axis=1),
        np.linspace(0.9, 0.5, count, dtype=np.float32),
        ("nose", "left_eye", "right_eye"),
        skeleton=((0, 1), (0, 2)),
    )


def test_one_line_says_how_many_and_how_sure() -> None:
    assert repr(people(0)) == "<Poses: 0 people; 3 keypoints>"
    assert repr(people(1)) == "<Poses: 1 person; 3 keypoints; sure 3; box scores 0.90>"
    two = replace(people(2), ids=np.array([4, 9]))
    assert repr(two) == "<Poses: 2 people; 3 keypoints; sure 3, 3; box scores 0.90, 0.50; ids 4, 9>"
    assert len(repr(people(500))) < 120


def test_notebooks_show_a_picture_and_a_table() -> None:
    poses = people(2)
    png = poses._repr_png_()
    assert png
    picture = load_image(png)
    assert max(picture.shape) == 480
    assert (picture != 255).any()
    html = poses._repr_html_()
    assert html.count("<tr>") == 3
    assert "data:image/png;base64," in html
    assert re.findall(r"<code>(.+?)</code>", html) == [repr(poses).replace("<", "&lt;").replace(">", "&gt;")]


def test_nobody_is_shown_as_nobody() -> None:
    assert people(0)._repr_png_() is None
    assert people(0)._repr_html_() == "<p><code>&lt;Poses: 0 people; 3 keypoints&gt;</code></p>"


@settings(deadline=None)  # a busy machine
@given(
    points=arrays(np.float32, (2, 3, 2), elements=st.floats(width=32)),
    boxes=arrays(np.float32, (2, 4), elements=st.floats(width=32)),
    scores=arrays(np.float32, (2, 3), elements=st.floats(width=32)),
)
def test_any_poses_at_all_can_be_shown(points: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> None:
    poses = replace(people(2), keypoints=points, boxes=boxes, scores=scores)
    assert "\n" not in repr(poses)
    assert poses._repr_html_().startswith("<p>")


def test_they_draw_and_save_themselves(tmp_path: Path) -> None:
    picture = np.full((1000, 1000, 3), 90, np.uint8)
    poses, options = people(3), {"scores": True, "boxes": True}
    drawn = draw_poses(picture, poses, scores=True)
    assert np.array_equal(poses.draw(picture, **options), drawn)
    poses.save(tmp_path / "a.png", picture, **options)
    assert np.array_equal(load_image(tmp_path / "a.png"), drawn)


def test_a_file_has_the_same_colours_whatever_the_order_of_the_array(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    people(3).save(tmp_path / "bgr.png", picture)
    people(3).save(tmp_path / "rgb.png", picture[:, :, ::-1], color="rgb")
    assert (tmp_path / "bgr.png").read_bytes() == (tmp_path / "rgb.png").read_bytes()


def test_what_cannot_be_saved_says_why(tmp_path: Path) -> None:
    picture = np.zeros((10, 10, 3), np.uint8)
    with pytest.raises(OutputError, match="writes no such picture format"):
        people(1).save(tmp_path / "a.txt", picture)
    with pytest.raises(InputError, match="does not exist"):
        people(1).save(tmp_path / "a.jpg", tmp_path / "nosuch.jpg")
    assert not list(tmp_path.iterdir())
