"""People as JSON values and back: nothing lost but what the fourth decimal cannot hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pose_onnx import Poses
from pose_onnx.formats._people import people_from_json, people_to_json
from tests.formats.conftest import NAMES, people


def any_floats(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    values = st.floats(-1e5, 1e5, width=32) | st.sampled_from([np.nan, np.inf, -np.inf])
    return hnp.arrays(np.float32, shape, elements=values)


@st.composite
def any_poses(draw: st.DrawFn) -> Poses:
    count, joints = draw(st.integers(0, 3)), len(NAMES)
    ids = draw(st.none() | hnp.arrays(np.int64, count, elements=st.integers(0, 2**53)))
    return Poses(
        draw(any_floats((count, joints, 2))),
        draw(any_floats((count, joints))),
        draw(any_floats((count, 4))),
        draw(any_floats((count,))),
        NAMES,
        ids,
    )


@given(any_poses())
def test_there_and_back(poses: Poses) -> None:
    text = json.dumps(people_to_json(poses), allow_nan=False)
    back = people_from_json(json.loads(text), NAMES)
    for field in ("keypoints", "scores", "boxes", "box_scores"):
        before, after = getattr(poses, field), getattr(back, field)
        expected = np.where(np.isfinite(before), before, np.nan)
        # Half of the fourth decimal, and float32's own step at 1e5.
        np.testing.assert_allclose(after, expected, rtol=1e-7, atol=0.51e-4)
        assert after.dtype == np.float32
    if poses.ids is None and len(poses):
        assert back.ids is None
    else:
        assert back.ids is not None
        np.testing.assert_array_equal(back.ids, np.empty(0) if poses.ids is None else poses.ids)


@pytest.mark.parametrize(("ids", "has_id"), [([4, 7], True), (None, False)])
def test_ids_are_there_only_where_somebody_follows(ids: list[int] | None, *, has_id: bool) -> None:
    values = people_to_json(people(ids, count=2))
    assert len(values) == 2
    assert [value.get("id", 0) for value in values] == (ids or [0, 0])
    assert all(("id" in value) is has_id for value in values)
