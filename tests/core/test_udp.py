"""UDP: its refinement against a plain implementation, and cells whose corners are the input's."""

import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_onnx import CardError, HeatmapOutput, InputError, decode_udp, load_card
from pose_onnx.core.crops import full_image_crops, transform
from pose_onnx.presets import PRESETS
from tests.plain_decoders import plain_udp

CARD = load_card("vitpose_base_coco_256x192")
OUTPUT = cast("HeatmapOutput", CARD.output)
INPUT = np.array([192, 256])
CELLS = np.array([48, 64])
PIXELS_PER_CELL = (INPUT - 1) / (CELLS - 1)


def peaks(points: np.ndarray, size: tuple[int, int], sigma: float = 2.0) -> np.ndarray:
    """Return the (K, h, w) heatmaps of K joints at (K, 2) cells."""
    y, x = np.mgrid[: size[0], : size[1]]
    squared = (x - points[:, 0, None, None]) ** 2 + (y - points[:, 1, None, None]) ** 2
    maps: np.ndarray = np.exp(-squared / (2 * sigma**2)).astype(np.float32)
    return maps


@pytest.mark.parametrize("kernel", [1, 3, 11])
@pytest.mark.parametrize("size", [(64, 48), (7, 5), (2, 3), (1, 1)])
def test_equals_the_plain_implementation(kernel: int, size: tuple[int, int]) -> None:
    """Peaks anywhere, at the border and beyond it too, under noise that goes below zero."""
    rng = np.random.default_rng(7)
    points = rng.uniform(-2, np.array(size[::-1]) + 1, (51, 2))
    maps = (peaks(points, size) + rng.normal(0, 0.02, (51, *size))).astype(np.float32)
    maps.flags.writeable = False
    found, scores = decode_udp(maps.reshape(3, 17, *size), blur_kernel=kernel)
    expected = np.array([plain_udp(heatmap, kernel) for heatmap in maps]).reshape(3, 17, 2)
    # The results are float32; where a step is longer than the map, relative to it.
    error = np.abs(found - expected) / np.maximum(1, np.abs(expected) / max(size))
    assert error.max() < 1e-4
    np.testing.assert_array_equal(scores.ravel(), maps.max(axis=(1, 2)))
    assert {found.dtype, scores.dtype} == {np.dtype(np.float32)}


def test_a_wrong_kernel_is_noticed() -> None:
    rng = np.random.default_rng(7)
    noisy = peaks(np.array([[10.3, 12.6]]), (32, 24)) + rng.normal(0, 0.02, (32, 24))
    maps = noisy.astype(np.float32)
    found, _ = decode_udp(maps[None], blur_kernel=11)
    assert np.abs(found[0, 0] - plain_udp(maps[0], 9)).max() > 1e-3


def test_a_peak_at_the_border_moves_half_a_cell_outwards() -> None:
    """As in the reference: the map goes on as its last cell, and both derivatives are the same difference."""
    found, _ = decode_udp(peaks(np.array([[0.4, 20.0]]), (64, 48))[None], blur_kernel=1)
    np.testing.assert_allclose(found[0, 0], [-0.5, 20], atol=1e-4)


@pytest.mark.parametrize("value", [0.0, -1.0, 0.5])
def test_a_flat_map_has_a_finite_answer(value: float) -> None:
    found, scores = decode_udp(np.full((1, 17, 32, 24), value, np.float32))
    np.testing.assert_allclose(found, 0, atol=1e-6)
    np.testing.assert_array_equal(scores, np.float32(value))


def test_max_step_cuts_each_axis() -> None:
    noise = np.random.default_rng(3).uniform(0, 1, (8, 17, 32, 24)).astype(np.float32)
    free, cut, cells = (decode_udp(noise, max_step=step)[0] for step in (None, 1.0, 0.0))
    assert np.abs(free - cells).max() > 1
    np.testing.assert_allclose(cut, cells + np.clip(free - cells, -1, 1), atol=1e-5)


def test_nobody_and_bad_input() -> None:
    found, scores = decode_udp(np.zeros((0, 17, 32, 24), np.float32))
    assert (found.shape, scores.shape) == ((0, 17, 2), (0, 17))
    with pytest.raises(InputError, match=r"\(17, 32, 24\)"):
        decode_udp(np.zeros((17, 32, 24), np.float32))
    with pytest.raises(InputError, match="NaN"):
        decode_udp(np.full((1, 1, 8, 8), math.nan, np.float32))
    with pytest.raises(InputError, match="odd"):
        decode_udp(np.ones((1, 1, 8, 8), np.float32), blur_kernel=4)


@settings(max_examples=40, deadline=None)
@given(u=st.floats(0, 1), v=st.floats(0, 1))
def test_a_joint_comes_back_to_its_image_point(u: float, v: float) -> None:
    """The corners of the input are those of the map: a joint at pixel p peaks at p * 47 / 191 of 48 cells.

    The whole chain on a map as UDP trains it; DARK is exact on a Gaussian that nothing smooths.
    """
    box = np.array([[100.3, 50.7, 163.9, 201.2]], np.float32)
    crops = full_image_crops(box, (480, 640), (256, 192), 4)
    joint_image = box[:, None, :2] + np.array([u, v]) * (box[:, None, 2:] - box[:, None, :2])
    cells = transform(crops.image_to_input, joint_image)[0] / PIXELS_PER_CELL
    maps = np.broadcast_to(peaks(cells, (64, 48)), (17, 64, 48))[None]
    output = replace(OUTPUT, blur_kernel=1)
    points, _ = output.read({"heatmaps": maps}, PRESETS["accurate"])
    found = transform(crops.heatmap_to_image, points)
    np.testing.assert_allclose(found, np.broadcast_to(joint_image, (1, 17, 2)), atol=2e-3)


def test_the_cards_kernel_is_used_whatever_the_preset() -> None:
    """The reference's deployment, whose kernel the preset "paddle" has, knows no UDP."""
    maps = np.random.default_rng(0).uniform(0, 1, (1, 17, 64, 48)).astype(np.float32)
    found, _ = OUTPUT.read({"heatmaps": maps}, PRESETS["paddle"])
    expected, _ = decode_udp(maps, blur_kernel=11)
    np.testing.assert_allclose(found, expected * (PIXELS_PER_CELL / 4), rtol=1e-6)


def test_both_passes_of_a_flip_agree_on_a_perfect_network() -> None:
    joints = np.random.default_rng(0).uniform(30, 160, (17, 2))
    order = np.arange(17)
    for left, right in CARD.flip_pairs:
        order[[left, right]] = right, left
    mirrored = np.stack([INPUT[0] - 1 - joints[order, 0], joints[order, 1]], axis=1)
    plain, flipped = (peaks(points / PIXELS_PER_CELL, (64, 48))[None] for points in (joints, mirrored))
    merged = OUTPUT.merge_mirrored({"heatmaps": plain}, {"heatmaps": flipped}, CARD)
    np.testing.assert_allclose(merged["heatmaps"], plain, atol=1e-5)


@pytest.mark.parametrize("size", [(256, 190), (256, 4)])
def test_aligned_corners_need_whole_cells(size: tuple[int, int]) -> None:
    assert HeatmapOutput(align_corners=True).cell_size(64, 48) == pytest.approx(tuple(PIXELS_PER_CELL / 4))
    with pytest.raises(CardError, match=r"output\.align_corners .* two or more times output\.stride"):
        replace(CARD, input=replace(CARD.picture, size=size))
