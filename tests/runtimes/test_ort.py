"""What ONNX Runtime's providers change in how a model is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from pose_onnx import Detector, KeypointModel
from pose_onnx.runtimes import fills_device, is_parallel, open_runtime, run_pixels

CPU = "CPUExecutionProvider"


def test_providers_take_options(tiny_pose: Path) -> None:
    providers = [(CPU, {"arena_extend_strategy": "kSameAsRequested"})]
    with KeypointModel(tiny_pose, threads=1, providers=providers) as model:
        assert len(model(np.zeros((50, 50, 3), np.uint8), [[0, 0, 40, 40]])) == 1


def test_a_cpu_is_shared_out(tiny_pose: Path) -> None:
    one, two = (open_runtime(tiny_pose, threads=count) for count in (1, 2))
    assert is_parallel(one)
    assert not fills_device(one)
    assert run_pixels(two) == 2 * run_pixels(one)


@pytest.mark.skipif(
    "AzureExecutionProvider" not in onnxruntime.get_available_providers(),
    reason="no other provider to try with",
)
def test_another_processor_gets_large_batches_and_one_session(tiny_detector: Path, tiny_pose: Path) -> None:
    """Azure's hands everything to the CPU; what counts is that it is named."""
    providers: list[Any] = [("AzureExecutionProvider", {}), CPU]
    with (
        KeypointModel(tiny_pose, threads=3, providers=providers) as pose,
        Detector(tiny_detector, threads=3, providers=providers) as detector,
    ):
        assert fills_device(pose.runtime)
        assert pose.workers == 3
        assert pose.batch_size > 8 * KeypointModel(tiny_pose, threads=3).batch_size
        image = np.zeros((64, 64, 3), np.uint8)
        assert len(pose(image, [[0, 0, 40, 40]] * 20)) == 20
        before = detector.runtime
        detector.find_many([image])
        assert detector._single is before


@pytest.mark.parametrize(("threads", "sessions"), [(1, 1), (2, 2)])
def test_a_second_session_only_where_the_first_cannot_serve(
    tiny_detector: Path, threads: int, sessions: int
) -> None:
    with Detector(tiny_detector, threads=threads) as detector:
        detector.find_many([np.zeros((64, 64, 3), np.uint8)] * 2)
        assert len({id(detector.runtime), id(detector._single)}) == sessions
