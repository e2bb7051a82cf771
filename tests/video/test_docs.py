"""The examples of docs/video.md run as they are printed, and the rule in it does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose_onnx import load_card, load_image
from pose_onnx.video import PoseWindow

ROOT = Path(__file__).parents[2]
NAMES = load_card("tinypose_128x96").keypoints


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run every example beside a short video; return what they defined."""
    folder = tmp_path_factory.mktemp("docs")
    photo = cv2.resize(load_image(ROOT / "models/photos/astronaut.jpg"), (256, 256))
    writer = cv2.VideoWriter(str(folder / "people.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (256, 256))
    for _ in range(4):
        writer.write(photo)
    writer.release()
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/video.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert len(blocks) >= 3
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in blocks:
            exec(block, names)  # noqa: S102 (that is the test)
    return names


def test_the_examples_find_the_astronaut(spoken: dict[str, Any]) -> None:
    assert spoken["people"] == 1
    assert spoken["history"].ids == (1,)


@pytest.mark.parametrize(
    ("wrist_y", "score", "raised"), [(50, 0.9, True), (150, 0.9, False), (50, 0.1, False)]
)
def test_the_rule(spoken: dict[str, Any], wrist_y: float, score: float, raised: bool) -> None:
    keypoints = np.full((10, len(NAMES), 2), 100, np.float32)
    scores = np.full(keypoints.shape[:2], 0.9, np.float32)
    wrist = NAMES.index("left_wrist")
    keypoints[:, wrist, 1], scores[:, wrist] = wrist_y, score
    keypoints[3], scores[3] = np.nan, np.nan
    assert spoken["raises_hand"](PoseWindow(np.arange(10) / 10, keypoints, scores), NAMES) is raised
    keypoints[3:], scores[3:] = np.nan, np.nan
    assert spoken["raises_hand"](PoseWindow(np.arange(10) / 10, keypoints, scores), NAMES) is False
