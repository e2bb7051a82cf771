"""The steps of end-to-end files, each against the function of the core that it stands for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from pose_onnx import BoxOutput, HeatmapOutput, InputSpec, ModelCard, load_card, load_image
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.crops import full_image_crops
from pose_onnx.core.heatmaps import decode_heatmaps, decode_quarter_steps
from pose_onnx.core.opencv import cv2
from pose_onnx.core.udp import decode_udp
from pose_onnx.core.warping import warp
from pose_onnx.exporters.end_to_end import (
    _boxes,
    _crops,
    _dark,
    _normalize,
    _quarter,
    _resize,
    _sampling,
    _udp,
)
from pose_onnx.exporters.end_to_end._assemble import IMAGE
from pose_onnx.exporters.end_to_end._network import PRESET
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import TensorInfo
from tests.end_to_end.conftest import PHOTOS, part, run

CARD = load_card("tinypose_128x96")
BOXES = TensorInfo("boxes", TensorProto.FLOAT, ("N", 4))
HEATMAPS = TensorInfo("heatmaps", TensorProto.FLOAT, ("N", 17, 32, 24))
PIXELS = TensorInfo("pixels", TensorProto.FLOAT, ("N", 3, 8, 8))
SIDES = st.integers(1, 700)


def cut_out(image: Value, boxes: Value, card: ModelCard) -> Value:
    return _sampling.sample(image, _crops.crop_geometry(boxes, card), card.picture.size)


def resize(image: Value, card: ModelCard) -> Value:
    return _resize.resize_cubic(image, card.picture.size)


def normalize(pixels: Value, card: ModelCard) -> Value:
    return _normalize.normalize(pixels, card.picture)


def decode(heatmaps: Value, card: ModelCard) -> Value:
    points, scores = _dark.decode(heatmaps, card, PRESET)
    return points.join(scores.unsqueeze(2), axis=2)


def decode_quarters(heatmaps: Value, card: ModelCard) -> Value:
    points, scores = _quarter.decode(heatmaps, card, PRESET)
    return points.join(scores.unsqueeze(2), axis=2)


def decode_by_udp(heatmaps: Value, card: ModelCard) -> Value:
    points, scores = _udp.decode(heatmaps, card, PRESET)
    return points.join(scores.unsqueeze(2), axis=2)


SUPPRESSIONS = [
    BoxOutput(nms_iou=0.5, max_boxes=15, ends_inside=True),
    *(
        BoxOutput(nms=f"matrix_{kind}", ends_inside=inside, max_boxes=15)
        for kind in ("gaussian", "linear")
        for inside in (True, False)
    ),
]
ALL_BOXES = TensorInfo("boxes", TensorProto.FLOAT, (1, "A", 4))
ALL_SCORES = TensorInfo("scores", TensorProto.FLOAT, (1, "A", 1))


def select(image: Value, boxes: Value, scores: Value, card: ModelCard) -> Value:
    found, kept = _boxes.select(boxes, scores, image, card, PRESET)
    return found.join(kept.unsqueeze(1), axis=1)


@pytest.mark.parametrize("count", [0, 1, 90])
@pytest.mark.parametrize("output", SUPPRESSIONS)
def test_suppression_is_that_of_the_core(output: BoxOutput, count: int) -> None:
    card = ModelCard("mine", "", InputSpec((50, 100), "stretch"), output, classes=("person",))
    rng = np.random.default_rng(count)
    low = rng.integers(-10, 70, (count, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + rng.integers(0, 60, (count, 2))], axis=1).astype(np.float32)
    boxes[count // 2 :] = boxes[: count - count // 2]  # each twice
    scores = rng.uniform(0, 1, (count, 1)).astype(np.float32)
    image = np.zeros((100, 200, 3), np.uint8)  # twice the input's size
    expected = output.select(boxes * 2, scores, PRESET.threshold, (100, 200))
    found = run(
        part(select, card, IMAGE, ALL_BOXES, ALL_SCORES), image, boxes=boxes[None], scores=scores[None]
    )["result"]
    limits = np.array([200, 100, 200, 100], np.float32)
    np.testing.assert_allclose(found[:, :4], expected.boxes.clip(0, limits), atol=1e-4)
    np.testing.assert_allclose(found[:, 4], expected.scores, atol=1e-6)


CUT_OUT = part(cut_out, CARD, IMAGE, BOXES)
RESIZE = part(resize, CARD, IMAGE)
DECODE = part(decode, CARD, HEATMAPS)
DECODE_QUARTERS = part(decode_quarters, CARD, HEATMAPS)
UDP_CARD = replace(CARD, output=HeatmapOutput(refine="udp", blur_kernel=11))
DECODE_BY_UDP = part(decode_by_udp, UDP_CARD, HEATMAPS)


@given(size=st.tuples(SIDES, SIDES), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_crops_are_equal_to_the_last_bit(size: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    corners = np.sort(rng.uniform(-0.3, 1.3, (3, 2, 2)) * size[::-1], axis=1)
    boxes = corners.reshape(3, 4).astype(np.float32)
    crops = full_image_crops(boxes, size, CARD.picture.size, 4)
    expected = [
        warp(image, to_input, region, CARD.picture.size)
        for to_input, region in zip(crops.image_to_input, crops.regions, strict=True)
    ]
    found = run(CUT_OUT, image, boxes=boxes)["result"]
    np.testing.assert_array_equal(found, np.stack(expected)[..., ::-1].transpose(0, 3, 1, 2))


def test_coordinates_half_way_between_two_are_rounded_as_in_the_core() -> None:
    """Of this box, a row lies half-way; the last bit of 1 / scale decides."""
    boxes = np.array([[206, 64, 417, 635]], np.float32)
    image = np.random.default_rng(0).integers(0, 256, (640, 551, 3), np.uint8)
    card = load_card("tinypose_256x192")
    crops = full_image_crops(boxes, image.shape[:2], card.picture.size, 4)
    expected = warp(image, crops.image_to_input[0], crops.regions[0], card.picture.size)
    found = run(part(cut_out, card, IMAGE, BOXES), image, boxes=boxes)["result"][0]
    np.testing.assert_array_equal(found, expected[..., ::-1].transpose(2, 0, 1))


@given(size=st.tuples(SIDES, SIDES), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_the_resize_is_opencvs_but_for_a_grey_level(size: tuple[int, int], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    assert resize_differences(image).max() <= 1


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_few_pixels_of_a_photo_differ_by_that(photo: Path) -> None:
    differences = resize_differences(load_image(photo))
    assert (differences > 0).mean() < (5e-3 if cv2.ipp.useIPP() else 0.1)


def resize_differences(image: Image) -> F32:
    expected = cv2.resize(image, CARD.picture.size[::-1], interpolation=cv2.INTER_CUBIC)
    found = run(RESIZE, image)["result"][0]
    differences: F32 = np.abs(found - expected[..., ::-1].transpose(2, 0, 1).astype(np.float32))
    return differences


def heatmaps_of(seed: int) -> F32:
    """Make Gaussian peaks anywhere, near and beyond the border too, and what networks also give."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :24]
    x0, y0, sigma = rng.uniform(-1, 25, (17, 1, 1)), rng.uniform(-1, 33, (17, 1, 1)), rng.uniform(0.5, 4)
    maps = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2)) * rng.uniform(0, 1, (17, 1, 1))
    maps += rng.normal(0, 0.01, maps.shape)
    maps[0], maps[1], maps[2] = 0, -1, 0.5  # empty, negative, flat
    maps[3] = 0
    maps[3, 10, 10] = 1  # a single cell, its neighbours at the floor of the logarithm
    heatmaps: F32 = maps[None].astype(np.float32)
    return heatmaps


@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_decoding_equals_the_core(seed: int) -> None:
    heatmaps = heatmaps_of(seed)
    points, scores = decode_heatmaps(heatmaps, blur_kernel=3, max_step=PRESET.max_step)
    found = run(DECODE, heatmaps=heatmaps)["result"]
    np.testing.assert_array_equal(found[..., 2], scores)
    np.testing.assert_allclose(found[..., :2], points, atol=2e-3)


@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_quarter_steps_equal_the_core(seed: int) -> None:
    heatmaps = heatmaps_of(seed)
    points, scores = decode_quarter_steps(heatmaps)
    found = run(DECODE_QUARTERS, heatmaps=heatmaps)["result"]
    np.testing.assert_array_equal(found, np.concatenate([points, scores[..., None]], axis=-1))


@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_udp_equals_the_core(seed: int) -> None:
    heatmaps = heatmaps_of(seed)
    points, scores = decode_udp(heatmaps, blur_kernel=11, max_step=PRESET.max_step)
    found = run(DECODE_BY_UDP, heatmaps=heatmaps)["result"]
    np.testing.assert_array_equal(found[..., 2], scores)
    np.testing.assert_allclose(found[..., :2], points, atol=2e-3)


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_every_grey_level_is_normalised_as_in_the_core(color: str) -> None:
    card = ModelCard.from_json(CARD.to_json().replace('"color": "rgb"', f'"color": "{color}"'))
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    expected = np.empty((3, 8, 8), np.float32)
    card.picture.normalize(pixels[:, :, ::-1], out=expected)
    model = part(normalize, card, PIXELS)
    found = run(model, pixels=pixels.transpose(2, 0, 1)[None].astype(np.float32))["result"][0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
