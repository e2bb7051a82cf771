"""Test-time flip: aligned to the stride, whatever the model."""

from pathlib import Path

import numpy as np
import pytest

from pose_onnx import HeatmapOutput, KeypointModel, decode_heatmaps, load_card

CARD = load_card("tinypose_128x96")


def bumps(points_input: np.ndarray, stride: int, shape: tuple[int, int]) -> np.ndarray:
    """Return the heatmaps that a perfect network gives: joint at input pixel x, peak at x / stride."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    cells = points_input / stride
    squared = (x - cells[:, 0, None, None]) ** 2 + (y - cells[:, 1, None, None]) ** 2
    maps: np.ndarray = np.exp(-squared / 8).astype(np.float32)
    return maps


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_both_passes_agree_on_a_perfect_network(stride: int) -> None:
    output = HeatmapOutput(stride=stride)
    height, width = 32 * stride, 24 * stride
    joints = np.random.default_rng(0).uniform(5 * stride, 17 * stride, (17, 2))
    order = np.arange(17)
    for left, right in CARD.flip_pairs:
        order[[left, right]] = right, left
    mirrored_joints = np.stack([width - 1 - joints[order, 0], joints[order, 1]], axis=1)
    plain = bumps(joints, stride, (height // stride, width // stride))[None]
    mirrored = bumps(mirrored_joints, stride, (height // stride, width // stride))[None]
    plain.flags.writeable = mirrored.flags.writeable = False
    merged = output.merge_mirrored({"heatmaps": plain}, {"heatmaps": mirrored}, CARD)
    points, _ = decode_heatmaps(merged["heatmaps"])
    # Sharing a peak between two cells widens it a little; the reference's whole cell would be 0.25 off.
    np.testing.assert_allclose(points[0] * stride, joints, atol=0.02 * stride)


def test_flip_runs_both_passes_in_one_batch(tiny_pose: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    boxes = [[10, 10, 60, 80], [20, 5, 70, 60], [0, 0, 30, 40]]
    flipped = KeypointModel(tiny_pose, threads=1, flip=True, batch_size=4)(image, boxes)
    alone = KeypointModel(tiny_pose, threads=1, flip=True, batch_size=1)(image, boxes)
    plain = KeypointModel(tiny_pose, threads=1)(image, boxes)
    np.testing.assert_allclose(flipped.keypoints, alone.keypoints, atol=1e-3)  # engines sum in any order
    assert np.abs(flipped.keypoints - plain.keypoints).max() > 1
