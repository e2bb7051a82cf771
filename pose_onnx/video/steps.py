"""Finds the people of frames, from one video or from several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.boxes import box_iou
from pose_onnx.pose_model import BatchTopDownModel, PoseModel, TopDownModel
from pose_onnx.poses import Poses
from pose_onnx.video.tracking.assign import assign

MATCHING_IOU: Final = 0.3
"""IoU from which an expected box and a detected one belong to the same person."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A frame whose people have not been found yet.

    Attributes:
        index: Number of the frame.
        time: Seconds.
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4) float32, xyxy, image pixels: where people are expected.
        box_scores: (N,) float32.
        detect: Whether to run the detector on it.
    """

    index: int
    time: float
    image: Image
    boxes: F32
    box_scores: F32
    detect: bool


class Found(NamedTuple):
    """The people of one frame.

    Attributes:
        poses: Without ids.
        detected: (N,), which of them come from boxes of the detector.
    """

    poses: Poses
    detected: NDArray[np.bool_]


class Finder:
    """Finds the people of frames in the way the model supports: batched, one by one, or on whole frames.

    Args:
        model: Any model; one that is not a `TopDownModel` processes every whole frame.

    Attributes:
        can_follow: Whether the model accepts boxes where people are expected.
    """

    def __init__(self, model: PoseModel) -> None:
        self._model = model
        self._top_down = model if isinstance(model, TopDownModel) else None
        self._batched = model if isinstance(model, BatchTopDownModel) else None
        self.can_follow = self._top_down is not None

    def __call__(self, steps: Sequence[Step]) -> list[Found]:
        """Find the people of several frames, possibly from several videos.

        Raises:
            InputError: A network returns NaN or infinity for at least one of them.
        """
        if self._top_down is None:
            every = [self._model(step.image) for step in steps]
            return [Found(poses, np.ones(len(poses), np.bool_)) for poses in every]
        if self._batched is None or len(steps) == 1:
            return [_find(self._top_down, step) for step in steps]
        places = [_places(self._batched, step) for step in steps]
        poses = self._batched.find_in_boxes_together(
            [step.image for step in steps],
            [place.boxes for place in places],
            box_scores=[place.box_scores for place in places],
        )
        return [Found(each, place.detected) for each, place in zip(poses, places, strict=True)]


class _Places(NamedTuple):
    boxes: F32
    box_scores: F32
    detected: NDArray[np.bool_]


def _find(model: TopDownModel, step: Step) -> Found:
    place = _places(model, step)
    poses = model.find_in_boxes(step.image, place.boxes, box_scores=place.box_scores)
    return Found(poses, place.detected)


def _places(model: TopDownModel, step: Step) -> _Places:
    """Return the detected boxes and the expected boxes that match no detected one."""
    boxes, scores = step.boxes, step.box_scores
    if not step.detect:
        return _Places(boxes, scores, np.zeros(len(boxes), np.bool_))
    found = model.find_boxes(step.image)
    overlaps = box_iou(boxes.astype(np.float64), found.boxes.astype(np.float64))
    missed = sorted(set(range(len(boxes))) - {row for row, _ in assign(overlaps, MATCHING_IOU)})
    boxes = np.concatenate([found.boxes, boxes[missed]])
    scores = np.concatenate([found.scores, scores[missed]])
    return _Places(boxes, scores, np.arange(len(boxes)) < len(found))
