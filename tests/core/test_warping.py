"""The warp gives the same pixels with every OpenCV."""

import zlib

import cv2
import numpy as np
import pytest

from pose_onnx.core.warping import warp

WHOLE = np.array([0, 0, 160, 120])
# Of cv2.warpAffine(..., INTER_LINEAR) of OpenCV 4.14 on the arrays below, 20 seeded maps.
CRC_OF_OPENCV_4 = 0xEE5B822E


def seeded() -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 160, 3), np.uint8)
    scales = rng.uniform(0.2, 3, 20)
    shifts = rng.uniform(-200, 50, (20, 2))
    return image, [np.array([[s, 0, x], [0, s, y]]) for s, (x, y) in zip(scales, shifts, strict=True)]


def test_equals_opencv_4_to_the_last_bit() -> None:
    image, maps = seeded()
    image.flags.writeable = False
    crops = [warp(image, item, WHOLE, (128, 96)) for item in maps]
    assert zlib.crc32(np.stack(crops).tobytes()) == CRC_OF_OPENCV_4


@pytest.mark.skipif(
    int(cv2.__version__.split(".")[0]) > 4, reason="OpenCV 5's warpAffine computes other pixels"
)
def test_equals_this_opencv() -> None:
    image, maps = seeded()
    for item in maps:
        expected = cv2.warpAffine(image, item, (96, 128), flags=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(warp(image, item, WHOLE, (128, 96)), expected)


def test_sees_nothing_outside_its_region() -> None:
    image = np.full((120, 160, 3), 255, np.uint8)
    crop = warp(image, np.array([[1.0, 0, 0], [0, 1, 0]]), np.array([10, 20, 50, 60]), (120, 160))
    assert (crop[20:60, 10:50] == 255).all()
    assert crop.astype(int).sum() == 40 * 40 * 3 * 255


@pytest.mark.parametrize("shift", [-1e9, -1e5, 1e5, 1e9])
def test_far_outside_is_black(shift: float) -> None:
    image = np.full((120, 160, 3), 255, np.uint8)
    assert not warp(image, np.array([[1.0, 0, shift], [0, 1, shift]]), WHOLE, (128, 96)).any()


def test_an_empty_region_is_black() -> None:
    image = np.full((120, 160, 3), 255, np.uint8)
    assert not warp(image, np.eye(2, 3), np.array([10, 10, 10, 50]), (128, 96)).any()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("scale", [0.001, 0.07, 0.9, 2.5])
def test_a_side_that_remap_does_not_take(scale: float, *, turned: bool) -> None:
    """The same pixels as from a cut-out, for a crop at the far end; and the whole length in one crop."""
    image = np.random.default_rng(1).integers(0, 256, (40, 70_000, 3), np.uint8)
    image = image.transpose(1, 0, 2) if turned else image
    end = 69_000
    shift = -scale * end
    size = (64, 96)
    given = np.array([[scale, 0, 0 if turned else shift], [0, scale, shift if turned else 0]])
    large = warp(image, given, np.array([0, 0, *image.shape[1::-1]]), size)
    cut = image[40_000:] if turned else image[:, 40_000:]
    moved = given.copy()
    moved[1 if turned else 0, 2] += scale * 40_000
    if scale > 0.01:  # else the crop reads what was cut off
        assert (warp(cut, moved, np.array([0, 0, *cut.shape[1::-1]]), size) == large).mean() > 0.999
    assert large.any()


def test_a_panorama_is_seen_whole() -> None:
    image = np.zeros((30, 300_000, 3), np.uint8)
    image[:, 299_000:] = 255
    crop = warp(image, np.array([[1e-3, 0, 0], [0, 1, 0]]), np.array([0, 0, 300_000, 30]), (30, 300))
    assert np.flatnonzero(crop[5, :, 0]).tolist() == [299]
