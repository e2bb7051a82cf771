"""Windows of poses: PP-Human's own tensors, and interpolation in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_onnx.core.arrays import F32
from pose_onnx.core.windows import Window, at_times, fit_frames, points_in_boxes, window_tensor

FRAMES, BOX = 50, (384, 512)
ROUNDING = 1e-3
"""PP-Human computes in float32: 3 steps of numbers up to 4000, as they come."""


@pytest.mark.parametrize("name", ["full", "short", "trim", "negative"])
def test_tensors_are_those_of_pp_human(shared: Path, name: str) -> None:
    with np.load(shared / "golden" / "stgcn.npz") as golden:
        window = Window(golden[f"win_{name}_keypoints"], golden[f"win_{name}_boxes"].astype(np.float32))
        expected = golden[f"win_{name}_tensor"][0]
    np.testing.assert_allclose(window_tensor(window, FRAMES, BOX), expected, rtol=1e-6, atol=ROUNDING)


def numbered(count: int) -> F32:
    """Frames whose joints tell which one it is, counted from 1: 0 is a frame without anyone."""
    return np.repeat(np.arange(1, count + 1, dtype=np.float32), 2).reshape(count, 1, 2)


def test_of_a_longer_window_the_frames_of_pp_human_are_taken(shared: Path) -> None:
    with np.load(shared / "golden" / "stgcn.npz") as golden:
        given_frames, expected = golden["win_long_input_frames"], golden["win_long_output_frames"]
    frames = np.repeat(given_frames, 2).reshape(-1, 1, 2)
    np.testing.assert_array_equal(fit_frames(frames, FRAMES)[:, 0, 0], expected)


def test_a_longer_window_that_counts_to_its_end_ends_with_its_last_frame() -> None:
    fitted = fit_frames(numbered(60), FRAMES)
    assert fitted[0, 0, 0] == 1
    assert fitted[-1, 0, 0] == 60


def test_nothing_is_written_and_nothing_shared() -> None:
    frames = numbered(FRAMES)
    fit_frames(frames, FRAMES)[:] = 7
    np.testing.assert_array_equal(frames, numbered(FRAMES))


def test_a_box_without_area_is_a_frame_without_anyone() -> None:
    keypoints = np.full((2, 3, 2), 5, np.float32)
    boxes = np.array([[0, 0, 10, 20], [5, 5, 5, 9]], np.float32)
    points = points_in_boxes(Window(keypoints, boxes), BOX)
    np.testing.assert_array_equal(points[0], [[192, 128]] * 3)
    np.testing.assert_array_equal(points[1], 0)


@settings(deadline=None)
@given(st.floats(0.1, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_size_and_place_in_the_picture_do_not_matter(scale: float, right: float, down: float) -> None:
    rng = np.random.default_rng(0)
    keypoints, corner = rng.uniform(0, 100, (5, 17, 2)), rng.uniform(0, 50, (5, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 100, (5, 2))], axis=1)
    shift = np.array([right, down])

    def points(keypoints: np.ndarray, boxes: np.ndarray) -> F32:
        return points_in_boxes(Window(keypoints.astype(np.float32), boxes.astype(np.float32)), BOX)

    moved = points(scale * keypoints + shift, scale * boxes + np.tile(shift, 2))
    # Float32 places up to 2500 are 1e-4 off: of a box of 2 pixels, 0.03 of 512.
    np.testing.assert_allclose(moved, points(keypoints, boxes), atol=0.2)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 10), min_size=2, max_size=20, unique=True), st.lists(st.floats(0, 1), max_size=9)
)
def test_even_motion_is_interpolated_exactly(moments: list[float], shares: list[float]) -> None:
    times = np.sort(np.array(moments))
    if np.diff(times).min() < 1e-6:
        return
    wanted = times[0] + np.array(shares) * (times[-1] - times[0])
    values = np.stack([3 * times + 1, -2 * times], axis=1).astype(np.float32)
    found = at_times(times, values, wanted)
    np.testing.assert_allclose(found, np.stack([3 * wanted + 1, -2 * wanted], axis=1), atol=1e-4)


def test_one_moment_holds() -> None:
    found = at_times(np.array([2.0]), np.ones((1, 17, 2), np.float32), np.array([2.0, 2.0]))
    np.testing.assert_array_equal(found, np.ones((2, 17, 2)))
