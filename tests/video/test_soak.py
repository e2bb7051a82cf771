"""Memory stays flat while people come and go.

POSE_ONNX_SOAK_FRAMES=20000 makes a soak of it; the models of one convolution keep it to minutes.
"""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import PoseEstimator
from pose_onnx.core.arrays import Image
from pose_onnx.video import PoseHistory, VideoPoseEstimator

FRAMES = int(os.environ.get("POSE_ONNX_SOAK_FRAMES", "360"))
FPS = 30
REPORTS = 9
MOST_GROWTH = 1_500_000
"""Bytes: 120 of the frames, or 75 bytes a frame of a soak of 20,000."""
STATM = Path("/proc/self/statm")


def clip(count: int) -> Iterator[tuple[float, Image]]:
    """Give frames with two people; one of them is at another place every second."""
    ground = np.random.default_rng(0).integers(0, 60, (64, 64, 3), np.uint8)
    for index in range(count):
        image = ground.copy()
        image[8:16, 8:16] = 255
        place = 8 * (index // FPS % 7)
        image[40:48, place : place + 8] = 255
        yield index / FPS, image


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not STATM.exists(), reason="memory is read from /proc, which Linux has")
def test_memory_stays_flat(tiny_detector: Path, tiny_pose: Path) -> None:
    history = PoseHistory(seconds=2, fps=10)
    sizes, ids = [], set()
    with PoseEstimator(tiny_detector, tiny_pose, threads=1) as estimator:
        for frame in VideoPoseEstimator(estimator, every=4).run(clip(FRAMES)):
            history.add(frame)
            assert frame.poses.ids is not None
            ids |= set(frame.poses.ids.tolist())
            if (frame.index + 1) % (FRAMES // REPORTS) == 0:
                gc.collect()
                sizes.append(resident())
    settled = sizes[REPORTS // 3 :]
    print("MB:", [round(size / 1e6, 1) for size in sizes], "ids:", len(ids))  # noqa: T201
    assert max(settled) - settled[0] < MOST_GROWTH, sizes
    assert len(history.ids) < 10
