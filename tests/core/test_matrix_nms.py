"""Matrix NMS against a plain loop, and against Paddle's operator."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import BoxOutput
from pose_onnx.core.arrays import F32

PICTURE = (100, 100)
THRESHOLD, SIGMA = 0.2, 2.0
KINDS = ("matrix_gaussian", "matrix_linear")
SCRIPT = Path(__file__).with_name("paddle_matrix_nms.py")


def crowd(count: int, classes: int = 3) -> tuple[F32, F32]:
    rng = np.random.default_rng(count)
    low = rng.integers(0, 60, (count, 2)) + rng.choice([0, 0.5, 0.97], (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(0, 30, (count, 2))], axis=1).astype(np.float32)
    boxes[-2:] = boxes[:2]  # one on the other, exactly
    scores = rng.uniform(0, 1, (count, classes)).astype(np.float32)
    boxes.flags.writeable = scores.flags.writeable = False
    return boxes, scores


def overlap(one: F32, other: F32) -> float:
    if (one[:2] > other[2:]).any() or (other[:2] > one[2:]).any():
        return 0.0
    shared = np.prod(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + 1)
    areas = [np.prod(box[2:] - box[:2] + 1) for box in (one, other)]
    return float(shared / (sum(areas) - shared))


def plain_matrix_nms(boxes: F32, column: F32, kind: str) -> list[float]:
    order = [index for index in np.argsort(-column, kind="stable") if column[index] > THRESHOLD]
    largest = [max((overlap(boxes[i], boxes[j]) for j in order[:n]), default=0) for n, i in enumerate(order)]
    kept = []
    for n, i in enumerate(order):
        decay = 1.0
        for m, j in enumerate(order[:n]):
            iou = overlap(boxes[i], boxes[j])
            if kind == "matrix_gaussian":
                decay = min(decay, float(np.exp((largest[m] ** 2 - iou**2) * SIGMA)))
            elif largest[m] < 1:
                decay = min(decay, (1 - iou) / (1 - largest[m]))
        kept.append(decay * float(column[i]))
    return [score for score in kept if score > THRESHOLD]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [3, 40, 300])
def test_equals_a_plain_loop(kind: str, count: int) -> None:
    boxes, scores = crowd(count)
    found = BoxOutput(nms=kind, sigma=SIGMA, max_boxes=10**6).select(boxes, scores, THRESHOLD, PICTURE)
    for label, column in enumerate(scores.T):
        expected = sorted(plain_matrix_nms(boxes, column, kind), reverse=True)
        np.testing.assert_allclose(found.scores[found.labels == label], expected, atol=1e-5)
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_in_nothing(kind: str) -> None:
    found = BoxOutput(nms=kind).select(*crowd(9), 1.0, PICTURE)
    assert found.boxes.shape == (0, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_of_no_class(kind: str) -> None:
    boxes, scores = crowd(20)
    found = BoxOutput(nms_iou=0.6, nms=kind).select(boxes, scores[:, :0], THRESHOLD, PICTURE)
    assert found.boxes.shape == (0, 4)


@pytest.mark.skipif(find_spec("paddle") is None, reason="Paddle is not installed")
def test_equals_paddle(tmp_path: Path) -> None:
    boxes, scores = crowd(700)
    np.savez(tmp_path / "given.npz", boxes=boxes, scores=scores, threshold=THRESHOLD, sigma=SIGMA)
    files = [str(tmp_path / name) for name in ("given.npz", "found.npz")]
    subprocess.run([sys.executable, "-W", "ignore", SCRIPT, *files], check=True, capture_output=True)
    with np.load(files[1]) as paddle:
        for kind in KINDS:
            found = BoxOutput(nms=kind, sigma=SIGMA).select(boxes, scores, THRESHOLD, PICTURE)
            labels, values, *corners = paddle[kind].T
            np.testing.assert_array_equal(found.labels, labels)
            np.testing.assert_allclose(found.scores, values, atol=1e-6)
            np.testing.assert_array_equal(found.boxes, np.stack(corners, axis=1))
