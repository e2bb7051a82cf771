"""DARK and the quarter step against plain implementations, and at their edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_onnx import InputError, decode_heatmaps, decode_quarter_steps
from tests.plain_decoders import plain_dark, plain_quarter


def gaussian(shape: tuple[int, int], center: tuple[float, float], sigma: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    bump: np.ndarray = np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * sigma**2)).astype(
        np.float32
    )
    return bump


@pytest.mark.parametrize("kernel", [1, 3, 5, 11])
@pytest.mark.parametrize("size", [(32, 24), (64, 48), (7, 5)])
def test_equals_the_plain_implementation(kernel: int, size: tuple[int, int]) -> None:
    """Smooth bumps under noise that goes below zero, so that the logarithm's floor is met too.

    1e-4 of a cell: the results are float32; where a step is longer than the map, relative to it.
    """
    rng = np.random.default_rng(7)
    maps = rng.normal(0, 0.05, (4, 17, *size)).astype(np.float32)
    for person, joint in np.ndindex(4, 17):
        center = rng.uniform(0, size[1] - 1), rng.uniform(0, size[0] - 1)
        maps[person, joint] += rng.uniform(0, 1) * gaussian(size, center, rng.uniform(1, 3))
    maps.flags.writeable = False
    points, scores = decode_heatmaps(maps, blur_kernel=kernel)
    expected = np.array([[plain_dark(heatmap, kernel) for heatmap in person] for person in maps])
    error = np.abs(points - expected) / np.maximum(1, np.abs(expected) / max(size))
    assert error.max() < 1e-4
    np.testing.assert_array_equal(scores, maps.max(axis=(2, 3)))


def test_a_wrong_kernel_is_noticed() -> None:
    """The comparison above can fail: another kernel differs by far more than its tolerance."""
    rng = np.random.default_rng(7)
    maps = (gaussian((32, 24), (10.3, 12.6), 2.0) + rng.normal(0, 0.02, (32, 24))).astype(np.float32)
    points, _ = decode_heatmaps(maps[None, None], blur_kernel=3)
    assert np.abs(points[0, 0] - plain_dark(maps, 5)).max() > 1e-3


@settings(max_examples=60, deadline=None)
@given(x=st.floats(4, 19), y=st.floats(4, 27), sigma=st.floats(1, 3))
def test_finds_a_gaussian_at_any_place(x: float, y: float, sigma: float) -> None:
    """Without smoothing the logarithm of a sampled Gaussian is a paraboloid: exact up to float32."""
    points, scores = decode_heatmaps(gaussian((32, 24), (x, y), sigma)[None, None], blur_kernel=1)
    np.testing.assert_allclose(points[0, 0], (x, y), atol=2e-3)
    assert 0.75 < scores[0, 0] <= 1


@settings(max_examples=30, deadline=None)
@given(dx=st.integers(-3, 3), dy=st.integers(-3, 3))
def test_moves_with_the_peak(dx: int, dy: int) -> None:
    here, _ = decode_heatmaps(gaussian((40, 40), (20.3, 19.6), 2.0)[None, None])
    there, _ = decode_heatmaps(gaussian((40, 40), (20.3 + dx, 19.6 + dy), 2.0)[None, None])
    np.testing.assert_allclose(there - here, [[[dx, dy]]], atol=1e-4)


@pytest.mark.parametrize("value", [0.0, -1.0, 0.5])
def test_a_flat_map_has_a_finite_answer(value: float) -> None:
    points, scores = decode_heatmaps(np.full((1, 17, 32, 24), value, np.float32))
    np.testing.assert_array_equal(points, 0)
    np.testing.assert_array_equal(scores, np.float32(value))


@pytest.mark.parametrize("cell", [(0, 0), (1, 5), (23, 31), (22, 30), (12, 0)])
def test_a_peak_at_the_border_stays_on_its_cell(cell: tuple[int, int]) -> None:
    points, _ = decode_heatmaps(gaussian((32, 24), cell, 2.0)[None, None])
    np.testing.assert_array_equal(points[0, 0], cell)


@pytest.mark.parametrize("cell", [(2, 2), (21, 29)])
def test_a_peak_two_cells_from_the_border_is_refined(cell: tuple[int, int]) -> None:
    center = (cell[0] + 0.3, cell[1] - 0.3)
    points, _ = decode_heatmaps(gaussian((32, 24), center, 2.0)[None, None])
    assert np.abs(points[0, 0] - center).max() < 0.1


def test_nobody_gives_empty_arrays() -> None:
    points, scores = decode_heatmaps(np.zeros((0, 17, 32, 24), np.float32))
    assert points.shape == (0, 17, 2)
    assert scores.shape == (0, 17)


def test_max_step_cuts_each_axis() -> None:
    rng = np.random.default_rng(3)
    noise = rng.uniform(0, 1, (8, 17, 32, 24)).astype(np.float32)
    free, _ = decode_heatmaps(noise)
    cut, _ = decode_heatmaps(noise, max_step=1.0)
    cells, _ = decode_heatmaps(noise, max_step=0.0)
    assert np.abs(free - cells).max() > 1
    np.testing.assert_allclose(cut, cells + np.clip(free - cells, -1, 1), atol=1e-5)


def one_cell(value: float) -> np.ndarray:
    """Return a map with a good peak and one other cell of this value."""
    heatmaps = np.full((1, 1, 8, 8), 0.1, np.float32)
    heatmaps[0, 0, 4, 3:5] = 0.9, value
    return heatmaps


@pytest.mark.parametrize(
    ("heatmaps", "options", "words"),
    [
        (np.zeros((17, 32, 24), np.float32), {}, "(17, 32, 24)"),
        (np.zeros((1, 17, 0, 24), np.float32), {}, "at least one cell"),
        (np.full((1, 1, 8, 8), math.nan, np.float32), {}, "NaN"),
        (one_cell(math.nan), {}, "NaN"),
        (one_cell(math.inf), {}, "infinity"),
        (one_cell(-math.inf), {}, "infinity"),
        (np.ones((1, 1, 8, 8), np.float32), {"blur_kernel": 4}, "odd"),
    ],
)
def test_bad_input_is_one_sentence(heatmaps: np.ndarray, options: dict[str, int], words: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_heatmaps(heatmaps, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(32, 24), (7, 5), (3, 3), (1, 1)])
def test_quarter_steps_equal_the_plain_implementation(size: tuple[int, int]) -> None:
    """Peaks everywhere; values rounded, so that neighbours are equal too."""
    rng = np.random.default_rng(7)
    maps = rng.normal(0, 1, (20, 17, *size)).astype(np.float32).round(1)
    maps.flags.writeable = False
    points, scores = decode_quarter_steps(maps)
    expected = [[plain_quarter(heatmap) for heatmap in person] for person in maps]
    np.testing.assert_array_equal(points, expected)
    assert {points.dtype, scores.dtype} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(scores, maps.max(axis=(2, 3)))


def test_quarter_steps_of_nobody_and_of_bad_input() -> None:
    points, scores = decode_quarter_steps(np.zeros((0, 17, 32, 24), np.float32))
    assert (points.shape, scores.shape) == ((0, 17, 2), (0, 17))
    with pytest.raises(InputError, match=r"\(17, 32, 24\)"):
        decode_quarter_steps(np.zeros((17, 32, 24), np.float32))
    with pytest.raises(InputError, match="NaN"):
        decode_quarter_steps(np.full((1, 1, 8, 8), math.nan, np.float32))
