"""Pictures at the top left of an input that is hardly larger, with the rest 0."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pose_onnx.cards.input import InputSpec
from pose_onnx.detector import detector_input
from pose_onnx.resizing import RESIZERS

SPEC = InputSpec((64, 64), "pad")


@pytest.mark.parametrize(
    ("sides", "inside"),
    [((50, 100), (32, 64)), ((100, 70), (64, 45)), ((10, 20), (32, 64)), ((64, 64), (64, 64))],
)
def test_the_longer_side_fills_the_input(sides: tuple[int, int], inside: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*sides, 3), dtype=np.uint8)
    resized = RESIZERS["pad"](image, SPEC.size)
    assert resized.pixels.shape == (*inside, 3)
    # As PaddleDetection: the factor, not the rounded size, is given to OpenCV and divides boxes.
    factor = 64 / max(sides)
    expected = cv2.resize(image, None, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(resized.pixels, expected)
    np.testing.assert_allclose(resized.scale, 1 / factor, rtol=1e-6)
    assert not resized.offset.any()


@pytest.mark.parametrize(
    ("sides", "inside", "whole"),
    [
        ((50, 100), (45, 90), (64, 96)),  # by the longer side
        ((100, 50), (90, 45), (96, 64)),  # the same, upright
        ((80, 96), (64, 77), (64, 96)),  # by the shorter side
        ((64, 64), (64, 64), (64, 64)),
    ],
)
def test_the_input_ends_at_the_next_multiples(
    sides: tuple[int, int], inside: tuple[int, int], whole: tuple[int, int]
) -> None:
    image = np.full((*sides, 3), 200, np.uint8)
    spec = InputSpec((64, 90), "pad")
    assert RESIZERS["pad"](image, spec.size).pixels.shape == (*inside, 3)
    tensor, _ = detector_input(image, spec)
    assert tensor.shape == (1, 3, *whole)
    np.testing.assert_array_equal((tensor != 0).sum(axis=(2, 3)), [[inside[0] * inside[1]] * 3])


def test_the_rest_of_the_input_is_zero_whatever_was_there() -> None:
    image = np.zeros((32, 64, 3), np.uint8)
    tensor, _ = detector_input(image, SPEC, empty=lambda *shape: np.full(shape, 7, np.float32))
    assert not tensor[:, :, 32:].any()
    expected = np.zeros((3, 32, 64), np.float32)
    SPEC.normalize(image, out=expected)
    np.testing.assert_array_equal(tensor[0, :, :32], expected)


def test_a_picture_that_is_too_thin_keeps_a_row() -> None:
    assert RESIZERS["pad"](np.zeros((1, 2000, 3), np.uint8), SPEC.size).pixels.shape == (1, 64, 3)
    assert RESIZERS["pad"](np.zeros((2000, 1, 3), np.uint8), SPEC.size).pixels.shape == (64, 1, 3)
