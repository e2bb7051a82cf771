"""Boxes: suppression and distribution decoding against plain loops."""

from typing import cast

import numpy as np
import pytest

from pose_onnx import BoxDistributionOutput, BoxOutput, InputSpec, ModelCard, load_card
from pose_onnx.core.boxes import box_iou
from pose_onnx.core.normalizing import normalize
from pose_onnx.detector import detector_input

PICTURE = (100, 100)


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    low = rng.uniform(0, 80, (count, 2))
    return np.concatenate([low, low + rng.uniform(5, 40, (count, 2))], axis=1).astype(np.float32)


def plain_nms(
    boxes: np.ndarray, scores: np.ndarray, spec: BoxOutput, threshold: float
) -> list[tuple[int, int]]:
    candidates = [(-s, a, c) for (a, c), s in np.ndenumerate(scores) if s > threshold]
    kept: list[tuple[int, int]] = []
    for _, anchor, label in sorted(candidates):
        if all(
            label != other or box_iou(boxes[anchor][None], boxes[best][None])[0, 0] <= spec.nms_iou
            for best, other in kept
        ):
            kept.append((anchor, label))
    return kept[: spec.max_boxes]


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("max_boxes", [100, 4])
def test_equals_a_plain_loop(classes: int, max_boxes: int) -> None:
    rng = np.random.default_rng(5)
    spec = BoxOutput(nms_iou=0.4, max_boxes=max_boxes)
    boxes, scores = random_boxes(rng, 120), rng.uniform(0, 1, (120, classes)).astype(np.float32)
    boxes.flags.writeable = scores.flags.writeable = False
    found = spec.select(boxes, scores, 0.3, PICTURE)
    expected = plain_nms(boxes, scores, spec, 0.3)
    assert [tuple(box) for box in found.boxes] == [tuple(boxes[anchor]) for anchor, _ in expected]
    assert found.labels.tolist() == [label for _, label in expected]
    assert (np.diff(found.scores) <= 0).all()


def test_the_threshold_itself_is_not_enough() -> None:
    boxes = np.array([[0, 0, 10, 10]], np.float32)
    assert len(BoxOutput().select(boxes, np.array([[0.5]], np.float32), 0.5, PICTURE)) == 0
    assert len(BoxOutput().select(boxes, np.array([[0.51]], np.float32), 0.5, PICTURE)) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(count: int) -> None:
    found = BoxOutput().select(np.ones((count, 4), np.float32), np.ones((count, 1), np.float32), 0.5, PICTURE)
    assert found.boxes.shape == (count, 4)


def test_boxes_that_end_at_the_last_pixels_do_so_before_suppression() -> None:
    boxes = np.array([[-5, -5, 90, 150], [0, 0, 69, 99], [80, 3, 90, 9]], np.float32)
    scores = np.array([[0.9], [0.8], [0.7]], np.float32)
    found = BoxOutput(ends_inside=True).select(boxes, scores, 0.5, (100, 70))
    # The second is the first, cut. Left edges are not cut on the right, as in Paddle's yolo_box.
    np.testing.assert_array_equal(found.boxes, [[0, 0, 69, 99], [80, 3, 69, 9]])
    assert len(BoxOutput().select(boxes, scores, 0.5, (100, 70))) == 3


def raw_head_card(size: int = 64) -> ModelCard:
    strides = (8, 16)
    names = [f"{kind}{stride}" for kind in ("score", "box") for stride in strides]
    output = BoxDistributionOutput(tuple(names[:2]), tuple(names[2:]), strides)
    return ModelCard("raw", "any", InputSpec((size, size), "stretch"), output, classes=("person",))


def test_distributions_become_boxes() -> None:
    rng = np.random.default_rng(2)
    card = raw_head_card()
    outputs = {}
    expected = []
    for stride in (8, 16):
        side = 64 // stride
        logits = rng.normal(0, 3, (2, side * side, 32)).astype(np.float32)
        logits.flags.writeable = False
        outputs[f"box{stride}"] = logits
        outputs[f"score{stride}"] = rng.uniform(0, 1, (2, side * side, 1)).astype(np.float32)
        for cell in range(side * side):
            row, column = divmod(cell, side)
            center = (np.array([column, row]) + 0.5) * stride
            edges = logits[:, cell].reshape(2, 4, 8).astype(np.float64)
            chance = np.exp(edges) / np.exp(edges).sum(axis=2, keepdims=True)
            distance = (chance * np.arange(8)).sum(axis=2) * stride
            expected.append(np.concatenate([center - distance[:, :2], center + distance[:, 2:]], axis=1))
    boxes, scores = cast("BoxDistributionOutput", card.output).decode(outputs, card.picture.size)
    assert scores.shape == (2, 80, 1)
    np.testing.assert_allclose(boxes, np.stack(expected, axis=1), atol=1e-4)  # float32 softmax, 64 px


def test_detector_input_equals_the_reference_formula() -> None:
    """PaddleDetection divides by 255 in float32 and by mean and std in float64: one table does the same."""
    card = load_card("picodet_s_192_lcnet_pedestrian")
    image = np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)  # resizing changes nothing
    image.flags.writeable = False
    expected = image[:, :, ::-1].astype(np.float32)
    expected *= np.float32(1 / 255.0)
    expected -= np.array(card.picture.mean)[None, None]
    expected /= np.array(card.picture.std)[None, None]
    tensor, _ = detector_input(image, card.picture)
    np.testing.assert_array_equal(tensor[0], expected.transpose(2, 0, 1))


def test_color_order_is_the_cards() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[:, :, 0] = 255  # blue
    for color, channel in (("bgr", 0), ("rgb", 2)):
        out = np.empty((3, 2, 2), np.float32)
        normalize(image, color=color, mean=(0, 0, 0), std=(1, 1, 1), out=out)
        assert out.sum(axis=(1, 2)).argmax() == channel
