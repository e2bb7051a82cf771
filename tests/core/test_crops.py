"""Crops: the way in and the way back are exact inverses; the drop-in follows the reference to the integer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_onnx import decode_heatmaps
from pose_onnx.core.boxes import box_iou
from pose_onnx.core.crops import full_image_crops, paddle_crops, transform
from pose_onnx.core.warping import warp

STRIDE = 4
SIZES = [(128, 96), (256, 192)]

coordinates = st.floats(-200, 800)
sides = st.floats(10, 600)  # the margin of a smaller box is less than its rounding to whole pixels


@pytest.mark.parametrize("input_size", SIZES)
@settings(max_examples=50, deadline=None)
@given(x=coordinates, y=coordinates, w=sides, h=sides, u=st.floats(0, 1), v=st.floats(0, 1))
def test_a_joint_comes_back_to_its_place(
    input_size: tuple[int, int], x: float, y: float, w: float, h: float, u: float, v: float
) -> None:
    """A joint at input pixel p is trained to peak at cell p / 4: no half pixel anywhere."""
    crops = full_image_crops(np.array([[x, y, x + w, y + h]], np.float32), (480, 640), input_size, STRIDE)
    joint_image = np.array([[[x + u * w, y + v * h]]])
    joint_input = transform(crops.image_to_input, joint_image)
    assert (joint_input > 0).all()
    assert (joint_input < np.array(input_size[::-1]) - 1).all()
    back = transform(crops.heatmap_to_image, joint_input / STRIDE)
    np.testing.assert_allclose(back, joint_image, atol=1e-3)  # boxes are float32


@settings(max_examples=40, deadline=None)
@given(u=st.floats(0.05, 0.95), v=st.floats(0.05, 0.95))
def test_a_peak_at_any_sub_pixel_place_comes_back_to_its_image_point(u: float, v: float) -> None:
    """The whole chain on a synthetic heatmap: 0.02 image px is DARK's own error on a smoothed Gaussian."""
    box = np.array([[100.3, 50.7, 163.9, 201.2]], np.float32)
    crops = full_image_crops(box, (480, 640), (256, 192), STRIDE)
    joint_image = box[:, None, :2] + np.array([u, v]) * (box[:, None, 2:] - box[:, None, :2])
    cell = transform(crops.image_to_input, joint_image)[0, 0] / STRIDE
    rows, columns = np.mgrid[:64, :48]
    heatmap = np.exp(-((columns - cell[0]) ** 2 + (rows - cell[1]) ** 2) / 8).astype(np.float32)
    points, _ = decode_heatmaps(heatmap[None, None])
    found = transform(crops.heatmap_to_image, points)
    np.testing.assert_allclose(found, joint_image, atol=0.02)


def test_the_pixels_follow_the_map() -> None:
    """A bright dot in the image appears at the mapped place of the crop."""
    image = np.zeros((300, 200, 3), np.uint8)
    image[97:104, 77:84] = 255  # centre (80, 100)
    crops = full_image_crops(np.array([[60, 70, 110, 150]], np.float32), (300, 200), (256, 192), STRIDE)
    pixels = warp(image, crops.image_to_input[0], crops.regions[0], (256, 192)).astype(float)[:, :, 0]
    rows, columns = np.mgrid[:256, :192]
    centroid = np.array([(columns * pixels).sum(), (rows * pixels).sum()]) / pixels.sum()
    expected = transform(crops.image_to_input, np.array([[[80.0, 100.0]]]))[0, 0]
    np.testing.assert_allclose(centroid, expected, atol=0.05)  # the warp rounds to 1/32 source pixel


@pytest.mark.parametrize("crop", [full_image_crops, paddle_crops])
def test_boxes_without_area_have_a_finite_map_to_their_centre(crop: object) -> None:
    boxes = np.array([[10, 20, 10, 20], [5, 5, 5, 50], [3, 8, 30, 8]], np.float32)
    crops = crop(boxes, (100, 100), (128, 96), STRIDE)  # type: ignore[operator]  # parametrised functions
    points = transform(crops.heatmap_to_image, np.full((3, 1, 2), 7.0))
    assert np.isfinite(crops.image_to_input).all()
    assert not crops.valid[0]
    np.testing.assert_allclose(points[0, 0], [10, 20])


@pytest.mark.parametrize("crop", [full_image_crops, paddle_crops])
def test_nobody(crop: object) -> None:
    crops = crop(np.empty((0, 4), np.float32), (100, 100), (128, 96), STRIDE)  # type: ignore[operator]
    assert len(crops.valid) == len(crops.regions) == len(crops.image_to_input) == 0


def plain_paddle_crop(box: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    """`expand_crop` as the reference document words it."""
    x1, y1, x2, y2 = (int(value) for value in box)
    half_h, half_w = (y2 - y1) * 1.3 / 2, (x2 - x1) * 1.3 / 2
    if half_h > half_w * 4 / 3:
        half_w = half_h * 0.75
    center_x, center_y = (x1 + x2) / 2, (y1 + y2) / 2
    return (
        max(0, int(center_x - half_w)),
        max(0, int(center_y - half_h)),
        min(width - 1, int(center_x + half_w)),
        min(height - 1, int(center_y + half_h)),
    )


def test_paddle_crops_follow_the_reference() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(-30, 500, (300, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 400, (300, 2))], axis=1).astype(np.float32)
    boxes.flags.writeable = False
    crops = paddle_crops(boxes, (480, 640), (256, 192), STRIDE)
    expected = np.array([plain_paddle_crop(box, 480, 640) for box in boxes])
    np.testing.assert_array_equal(crops.regions[crops.valid], expected[crops.valid])
    assert (~crops.valid == (expected[:, 2:] <= expected[:, :2]).any(axis=1)).all()
    x0, y0, x1, y1 = expected[crops.valid].T
    for corner in [(0.0, 0.0), (10.5, 33.25)]:
        found = transform(crops.heatmap_to_image, np.broadcast_to(corner, (300, 1, 2)))[crops.valid][:, 0]
        scale = (x1 - x0) / 48
        np.testing.assert_allclose(found[:, 0], x0 + np.round((x1 - x0) / 2) + (corner[0] - 24) * scale)
        np.testing.assert_allclose(found[:, 1], y0 + np.round((y1 - y0) / 2) + (corner[1] - 32) * scale)


def test_the_way_back_from_the_heatmap_is_the_inverse() -> None:
    rng = np.random.default_rng(1)
    low = rng.uniform(-30, 500, (20, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 400, (20, 2))], axis=1).astype(np.float32)
    crops = full_image_crops(boxes, (480, 640), (256, 192), STRIDE)
    points_image = rng.uniform(0, 600, (20, 5, 2))
    points_heatmap = transform(crops.image_to_input, points_image) / STRIDE
    np.testing.assert_allclose(transform(crops.heatmap_to_image, points_heatmap), points_image, atol=1e-9)


def test_box_iou() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 5, 15, 15], [20, 20, 20, 30]], np.float32)
    expected = np.array([[1, 25 / 175, 0], [25 / 175, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(box_iou(boxes, boxes), expected, rtol=1e-6)
