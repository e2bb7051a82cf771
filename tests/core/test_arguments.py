"""Arguments are shown, and one that nobody knows is named, with what was probably meant."""

from __future__ import annotations

import inspect

import pytest

from pose_onnx import ActionModel, Detector, InputError, KeypointModel, PoseEstimator
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE


@pytest.mark.parametrize(
    ("kind", "model", "argument", "meant"),
    [
        (PoseEstimator, None, "box_treshold", "threshold"),
        (PoseEstimator, None, "dvice", "device"),
        (PoseEstimator, None, "provider", "providers"),
        (Detector, DEFAULT_DETECTOR, "clases", "classes"),
        (KeypointModel, DEFAULT_POSE, "batchsize", "batch_size"),
        (ActionModel, "nobody", "thread", "threads"),
    ],
)
def test_did_you_mean(kind: type, model: str | None, argument: str, meant: str) -> None:
    with pytest.raises(
        InputError, match=f"^{kind.__name__} has no argument '{argument}'; did you mean '{meant}'"
    ):
        kind(model, **{argument: 1})


def test_a_name_like_no_other() -> None:
    with pytest.raises(InputError, match=r"has no argument 'zzz'; it takes \['detector', "):
        PoseEstimator(zzz=1)


def test_help_shows_the_arguments_of_a_pose_estimator() -> None:
    shown = inspect.signature(PoseEstimator).parameters
    assert ["self", *shown] == list(inspect.signature(PoseEstimator.__init__).parameters)
