"""Rows hold what was found, number for number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_onnx import InputError, Poses

pytest.importorskip("ray", reason="needs pose-onnx[ray]")

from pose_onnx.ray import SCHEMA
from pose_onnx.ray._table import Row, failed, table_of


def poses_of(people: int, joints: int, seed: int, *, ids: bool) -> Poses:
    rng = np.random.default_rng(seed)
    numbers = [rng.random(shape, np.float32) for shape in ((people, joints, 2), (people, joints))]
    boxes = [rng.random(shape, np.float32) for shape in ((people, 4), (people,))]
    names = tuple(f"joint{joint}" for joint in range(joints))
    return Poses(numbers[0], numbers[1], boxes[0], boxes[1], names, rng.permutation(people) if ids else None)


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=6),
    st.integers(1, 20),
    st.booleans(),
    st.integers(0, 99),
)
def test_every_number_arrives(counts: list[int | None], joints: int, ids: bool, seed: int) -> None:
    groups = [
        None if count is None else poses_of(count, joints, seed + i, ids=ids)
        for i, count in enumerate(counts)
    ]
    table = table_of([Row(str(i), poses) for i, poses in enumerate(groups)], "d", "p")
    table.validate(full=True)
    assert table.schema == SCHEMA
    for poses, row in zip(groups, table.to_pylist(), strict=True):
        if poses is None:
            assert (row["people"], row["keypoint_names"], row["detector"]) == (None, None, None)
            continue
        assert (tuple(row["keypoint_names"]), row["detector"], row["pose"]) == (poses.names, "d", "p")
        assert len(row["people"]) == len(poses)
        for index, person in enumerate(row["people"]):
            assert person == {
                "id": None if poses.ids is None else int(poses.ids[index]),
                "box": poses.boxes[index].tolist(),
                "box_score": float(poses.box_scores[index]),
                "keypoints": poses.keypoints[index].tolist(),
                "scores": poses.scores[index].tolist(),
            }


def test_people_that_were_sliced_arrive() -> None:
    poses = poses_of(5, 3, 0, ids=True)[np.array([3, 1])]
    people = table_of([Row("a", poses)]).to_pylist()[0]["people"]
    assert [person["scores"] for person in people] == poses.scores.tolist()


UNFORESEEN = "'x.jpg' cannot be processed ({}); please report this, with the file"


@pytest.mark.parametrize(
    ("error", "text", "kind"),
    [
        (InputError("what is wrong"), "what is wrong", "InputError"),
        (MemoryError(), UNFORESEEN.format("MemoryError"), "MemoryError"),
        (
            OSError("a\udcff.jpg"),
            UNFORESEEN.format("OSError: a\\udcff.jpg"),
            "OSError",
        ),  # a file name that is not UTF-8
    ],
)
def test_a_failure(error: Exception, text: str, kind: str) -> None:
    row = table_of([failed("x.jpg", error)]).to_pylist()[0]
    assert (row["path"], row["error"], row["error_kind"], row["people"]) == ("x.jpg", text, kind, None)
