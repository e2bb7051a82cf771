"""Regions as graph operators, beside NumPy: ties, nothing left, boxes that are too small."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from pose_onnx.core.arrays import F32
from pose_onnx.core.boxes import box_iou
from pose_onnx.exporters.end_to_end._network import add_output
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.exporters.session import plain_session
from pose_onnx.exporters.two_stage.facts import Level, Pool, TwoStage
from pose_onnx.exporters.two_stage.proposals import best_of, picture_size, pool_regions, propose

# No overlap of two boxes with whole sides is exactly this.
LEVEL = Level(candidates=10, kept=6, iou=0.6137, smallest=0.0)
SHAPES = 2
"""Anchors of each cell."""
STRIDE = 8
MOST = 9


def graph_of(**shapes: tuple[int | str, ...]) -> tuple[Graph, dict[str, Value]]:
    inputs = [TensorInfo(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = Graph([], {}, inputs, [])
    return graph, {name: Value(graph, name, np.dtype(np.float32)) for name in shapes}


@pytest.fixture(scope="module")
def session() -> ort.InferenceSession:
    graph, given_ = graph_of(
        scores=(1, SHAPES, "h", "w"), deltas=(1, 4 * SHAPES, "h", "w"), anchors=("K", 4), size=(2,)
    )
    found = propose([given_["scores"], given_["deltas"], given_["anchors"]], LEVEL, given_["size"])
    add_output(found[0], "boxes", ("R", 4))
    add_output(found[1], "ranked", ("R",))
    add_output(best_of([found, found], MOST), "best", ("B", 4))
    return plain_session(graph.to_model())


def anchors_of(rows: int, columns: int) -> F32:
    y, x = np.mgrid[:rows, :columns].reshape(2, -1, 1) * STRIDE
    low = np.concatenate([x, y], axis=1)[:, None] - np.array([[4, 4], [2, 8]])
    high = np.concatenate([x, y], axis=1)[:, None] + np.array([[4, 4], [2, 8]])
    return np.concatenate([low, high], axis=2).reshape(-1, 4).astype(np.float32)


def expected_regions(scores: F32, deltas: F32, anchors: F32, size: F32) -> tuple[F32, F32]:
    """As Paddle's kernel computes them (phi/kernels/cpu/generate_proposals_kernel.cc)."""
    flat = scores[0].transpose(1, 2, 0).reshape(-1)
    moves = deltas[0].transpose(1, 2, 0).reshape(-1, 4)
    best = np.argsort(-flat, kind="stable")[: LEVEL.candidates]
    sides = anchors[best, 2:] - anchors[best, :2]
    centers = moves[best, :2] * sides + anchors[best, :2] + sides / 2
    half = np.exp(np.minimum(moves[best, 2:], np.log(1000 / 16))) * sides / 2
    boxes = np.concatenate([centers - half, centers + half], axis=1)
    boxes = np.clip(boxes, 0, size[[1, 0, 1, 0]]).astype(np.float32)
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= 1
    boxes, ranked = boxes[large], flat[best][large]
    kept: list[int] = []
    for place in range(len(boxes)):
        if len(kept) < LEVEL.kept and (box_iou(boxes[kept], boxes[[place]]) <= LEVEL.iou).all():
            kept.append(place)
    if not kept:
        return np.zeros((1, 4), np.float32), np.zeros(1, np.float32)
    return boxes[kept], ranked[kept]


@settings(deadline=None)
@given(
    cells=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(0, 24), st.integers(0, 24)),
    growth=st.sampled_from([-3.0, 0.0, 1.0, 8.0]),
    ties=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_regions_are_those_of_paddles_rule(
    session: ort.InferenceSession,
    cells: tuple[int, int],
    size: tuple[int, int],
    growth: float,
    ties: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1, (1, SHAPES, *cells)).astype(np.float32)
    if ties:
        scores = scores.round()
    deltas = rng.normal(0, 0.3, (1, 4 * SHAPES, *cells)).astype(np.float32)
    deltas.reshape(1, SHAPES, 4, *cells)[:, :, 2:] += growth
    feeds = {
        "scores": scores,
        "deltas": deltas,
        "anchors": anchors_of(*cells),
        "size": np.array(size, np.float32),
    }
    boxes, ranked, best = session.run(None, feeds)
    expected_boxes, expected_ranked = expected_regions(**feeds)
    np.testing.assert_array_equal(ranked, expected_ranked)
    np.testing.assert_allclose(boxes, expected_boxes, atol=1e-4, rtol=0)
    twice = np.concatenate([ranked, ranked])
    order = np.argsort(-twice, kind="stable")[:MOST]
    np.testing.assert_array_equal(best, np.concatenate([boxes, boxes])[order])


def test_nothing_left_is_one_zero_box(session: ort.InferenceSession) -> None:
    scores = np.ones((1, SHAPES, 2, 2), np.float32)
    deltas = np.zeros((1, 4 * SHAPES, 2, 2), np.float32)
    size = np.array([0.9, 20], np.float32)
    boxes, ranked, _ = session.run(
        None, {"scores": scores, "deltas": deltas, "anchors": anchors_of(2, 2), "size": size}
    )
    assert (boxes.tolist(), ranked.tolist()) == ([[0, 0, 0, 0]], [0])


@pytest.mark.parametrize("filled", [(8, 12), (5, 12), (8, 1), (1, 1)])
def test_the_picture_ends_where_zeros_begin(filled: tuple[int, int]) -> None:
    graph, values = graph_of(image=(1, 3, 8, 12))
    add_output(picture_size(values["image"]), "size", (2,))
    image = np.zeros((1, 3, 8, 12), np.float32)
    image[:, :, : filled[0], : filled[1]] = -0.1
    (size,) = plain_session(graph.to_model()).run(None, {"image": image})
    assert tuple(size) == filled


def test_features_come_from_the_level_of_a_regions_size() -> None:
    pools = tuple(Pool(1 / 2**place, (2, 3), 0, aligned=False) for place in (2, 3, 4))
    facts = TwoStage("", (), (), "", (), (), 0, pools, usual_side=32, usual_pool=1)
    graph, values = graph_of(boxes=("R", 4), **{f"level{place}": (1, 1, 16, 16) for place in range(3)})
    pooled = pool_regions(values["boxes"], [values[f"level{place}"] for place in range(3)], facts)
    add_output(pooled, "pooled", ("R", 1, 2, 3))
    run = plain_session(graph.to_model()).run
    levels = {f"level{place}": np.full((1, 1, 16, 16), place, np.float32) for place in range(3)}
    # A level is reached at its side exactly; the last one has no end, and the first one takes the zero box.
    sides = {100: 2, 64: 2, 63.9: 1, 32: 1, 31.9: 0, 3: 0, 0: 0}
    boxes = np.array([[0, 0, side, side] for side in sides], np.float32)
    (features,) = run(None, {"boxes": boxes, **levels})
    assert dict(zip(sides, features[:, 0, 0, 0], strict=True)) == sides
    (features,) = run(None, {"boxes": boxes[:1], **levels})
    assert features.shape == (1, 1, 2, 3)
