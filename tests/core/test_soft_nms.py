"""Soft non-maximum suppression, against its definition in plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pose_onnx.core.arrays import F32
from pose_onnx.core.nms import soft_nms


def plain_loops(boxes: F32, scores: F32) -> dict[int, float]:
    """Scores by index, swap by swap as nms.pyx does it, without its stale rows."""

    def iou(a: F32, b: F32) -> float:
        sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + 1
        if (sides <= 0).any():
            return 0.0
        areas = [np.prod(box[2:] - box[:2] + 1) for box in (a, b)]
        return float(sides.prod() / (sum(areas) - sides.prod()))

    left = {index: float(score) for index, score in enumerate(scores) if score >= 0.001}
    found: dict[int, float] = {}
    while left:
        best = max(left, key=lambda index: left[index])
        found[best] = left.pop(best)
        left = {
            index: lowered
            for index, score in left.items()
            if (lowered := score * np.exp(-(iou(boxes[best], boxes[index]) ** 2) / 0.5)) >= 0.001
        }
    return found


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_scores_are_those_of_the_definition(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 40, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 40, (count, 2))], axis=1).astype(np.float32)
    scores = rng.uniform(0.01, 1, count).astype(np.float32)
    boxes.flags.writeable = scores.flags.writeable = False
    order, lowered = soft_nms(boxes, scores)
    expected = plain_loops(boxes, scores)
    assert order.tolist() == list(expected)
    np.testing.assert_allclose(lowered, list(expected.values()), rtol=1e-5)


def test_one_that_is_covered_fades_and_leaves() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    order, scores = soft_nms(boxes, np.array([0.9, 0.005, 0.5], np.float32))
    assert order.tolist() == [0, 2]
    np.testing.assert_array_equal(scores, np.array([0.9, 0.5], np.float32))
