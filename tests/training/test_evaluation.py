"""Decoding and cropping are inverse to each other; suppression keeps the best."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training recipe needs PyTorch, which no other part does")
pytest.importorskip("pycocotools", reason="the recipe measures with pycocotools (extra eval)")

from training.evaluate_pose import decode
from training.geometry import crop_matrix
from training.predict import suppress

SUBPIXEL_BAR = 0.05  # heatmap pixels; the blur of a sigma-1 peak on a grid costs up to 0.03


def test_decode_finds_peaks_between_pixels() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(4, (20, 28), (5, 17, 2))
    y, x = np.mgrid[:32, :24]
    distance = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    found, heights = decode(np.exp(-distance / 2).astype(np.float32))
    assert np.abs(found - points).max() < SUBPIXEL_BAR
    assert (heights > 0.7).all()


def test_flat_heatmaps_are_finite() -> None:
    found, heights = decode(np.zeros((1, 17, 32, 24), np.float32))
    assert np.isfinite(found).all()
    assert not heights.any()


@pytest.mark.parametrize("box", [(10.0, 20.0, 40.0, 120.0), (0.0, 0.0, 300.0, 40.0)])
def test_crop_keeps_aspect_and_centre(box: tuple[float, float, float, float]) -> None:
    matrix = crop_matrix(box, (96, 128))
    centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1])
    assert matrix @ centre == pytest.approx([48, 64])
    corner = matrix @ np.array([box[0], box[1], 1])
    assert corner.min() >= 0
    assert matrix[0, 0] == pytest.approx(matrix[1, 1])


def test_suppress() -> None:
    found = np.array([[0, 0, 10, 10, 0.5], [0, 0, 10, 9, 0.9], [20, 0, 30, 10, 0.3]], np.float32)
    assert suppress(found).tolist() == found[[1, 2]].tolist()
    assert suppress(np.empty((0, 5), np.float32)).shape == (0, 5)
