"""People and frames as the formats' tests want them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pose_onnx import Poses
from pose_onnx.formats import FrameRecord, FramesHeader

NAMES = ("nose", "left_wrist", "tail")
HEADER = FramesHeader("clip.mp4", NAMES, {"backend": "ort", "flip": False})


def people(ids: Sequence[int] | None, *, seed: int = 0, count: int | None = None) -> Poses:
    """Return people somewhere in a picture of 640 x 480."""
    number = len(ids) if ids is not None else count or 0
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 200, (number, 2))
    return Poses(
        rng.uniform(-5, 480, (number, len(NAMES), 2)).astype(np.float32),
        rng.uniform(0, 1, (number, len(NAMES))).astype(np.float32),
        np.concatenate([corners, corners + rng.uniform(10, 200, (number, 2))], axis=1).astype(np.float32),
        rng.uniform(0.5, 1, number).astype(np.float32),
        NAMES,
        None if ids is None else np.array(ids, np.int64),
    )


@pytest.fixture
def frames() -> Callable[..., list[FrameRecord]]:
    def make(*ids: Sequence[int]) -> list[FrameRecord]:
        """Return a frame for each list of ids, at 25 a second."""
        return [
            FrameRecord(index, index / 25, (480, 640), people(who, seed=index), detected=index % 3 == 0)
            for index, who in enumerate(ids)
        ]

    return make
