"""Open the pose model that arguments ask for, whatever kind it is."""

from __future__ import annotations

from typing import Any

from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.pose_model import PoseModel


def open_pose_model(**arguments: Any) -> PoseModel:
    """Open the models that the command line, batch jobs and benchmarks run; the one place that chooses.

    Args:
        arguments: Of `PoseEstimator`.

    Returns:
        The model; whoever asked for it closes it.

    Raises:
        PoseOnnxError: One of its kinds, with what to do; see `pose_onnx.errors`.
    """
    return PoseEstimator(**arguments)
