"""CenterNet's ways to bring a picture to the network's input and back, against the reference's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_onnx import InputError
from pose_onnx.core.arrays import F64, Image
from pose_onnx.image_files import load_image
from pose_onnx.resizing import RESIZERS, Resized, kept_size

STRIDE = 4
ONE_GREY_LEVEL = 1  # the golden files were made by OpenCV 5, whose weights are not rounded to 1/32


@pytest.fixture(scope="module")
def golden(shared: Path) -> Mapping[str, F64]:
    with np.load(shared / "golden" / "centernet_decode.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def photo(shared: Path) -> Image:
    pixels = load_image(shared / "coco_dev" / "images" / "000000000885.jpg")
    pixels.flags.writeable = False
    return pixels


def grid_to_image(resized: Resized) -> F64:
    return np.array(
        [[STRIDE * resized.scale[0], 0, resized.offset[0]], [0, STRIDE * resized.scale[1], resized.offset[1]]]
    )


@pytest.mark.parametrize("side", [256, 512])
def test_fix(golden: Mapping[str, F64], photo: Image, side: int) -> None:
    resized = RESIZERS["fix"](photo, (side, side))
    difference = np.abs(resized.pixels.astype(int) - golden[f"pre_fix{side}_warped"])
    assert difference.max() <= ONE_GREY_LEVEL
    assert (difference > 0).mean() <= 0.15
    np.testing.assert_allclose(
        grid_to_image(resized), golden[f"pre_fix{side}_affine_out_to_image"], rtol=1e-6, atol=1e-6
    )


def test_fix_to_an_input_that_is_no_square(golden: Mapping[str, F64]) -> None:
    resized = RESIZERS["fix"](np.zeros((427, 640, 3), np.uint8), (256, 384))
    assert resized.pixels.shape == (256, 384, 3)
    np.testing.assert_allclose(
        grid_to_image(resized), golden["syn_affine_fix_out_to_image"], rtol=1e-6, atol=1e-5
    )


def test_fix_puts_pixels_where_it_says() -> None:
    picture = np.zeros((90, 40, 3), np.uint8)
    picture[60, 24] = 255
    resized = RESIZERS["fix"](picture, (180, 180))  # by 2
    y, x = np.unravel_index(resized.pixels[:, :, 0].argmax(), (180, 180))
    np.testing.assert_array_equal(np.array([x, y]) * resized.scale[:2] + resized.offset[:2], (24, 60))


def test_keep_in_pictures_of_many_sizes(golden: Mapping[str, F64]) -> None:
    rng = np.random.default_rng(0)
    for row in golden["pre_keep_table"]:
        width, height, pad, in_width, in_height = row[:5].astype(int)
        size = kept_size((height, width), pad + 1)
        assert size == (in_height, in_width)
        picture = rng.integers(0, 256, (height, width, 3), np.uint8)
        resized = RESIZERS["keep"](picture, size)
        expected = cv2.warpAffine(picture, row[7:13].reshape(2, 3), (in_width, in_height))
        np.testing.assert_array_equal(resized.pixels, expected)
        np.testing.assert_allclose(grid_to_image(resized), row[13:].reshape(2, 3), rtol=0, atol=1e-9)


def test_keep_refuses_a_picture_that_is_too_large() -> None:
    with pytest.raises(InputError, match="600 x 500 pixels, more than the network's input of 512 x 512"):
        RESIZERS["keep"](np.zeros((500, 600, 3), np.uint8), (512, 512))
    assert RESIZERS["keep"](np.zeros((512, 511, 3), np.uint8), (512, 512)).pixels.shape == (512, 512, 3)
