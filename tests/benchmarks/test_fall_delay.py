"""The benchmark of falls: what it counts, on a model that always, or never, says one."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from pose_onnx import Action, ActionModel
from tests.video.test_actions import model as nose_model

nose = nose_model  # a fixture


def test_rows(script: Callable[[str], ModuleType]) -> None:
    delay = script("fall_delay")
    found = [delay.Fall(2, 3, 2.5), delay.Fall(2, 3, 3.5), delay.Fall(2, 3, 1.5), delay.Fall(2, 3, np.inf)]
    assert delay.row(found) == "4 | 1 | 1 | 1.00 / 1.40 | 0.00 / 0.40"
    assert delay.row(found[3:]) == "1 | 1 | 0 | - | -"


@pytest.mark.parametrize(("label", "early"), [("falling", True), ("nothing", False)])
def test_poses_of_a_clip_go_through_video(
    script: Callable[[str], ModuleType],
    nose: ActionModel,
    label: str,
    early: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delay = script("fall_delay")
    monkeypatch.setattr(nose, "find_all", lambda windows: [Action("falling", 1.0) for _ in windows])
    (fall,) = delay.falls(nose, "sliding", 8.0, 1, label)
    assert fall.begins < fall.ends
    assert (fall.said < fall.ends) == early
    assert np.isinf(fall.said) != early
