"""The evaluated model: a keypoint model on given boxes, or a model that finds people itself."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pose_onnx.core.arrays import F32, Image
from pose_onnx.detector import check_threshold
from pose_onnx.evaluation._boxes import BoxSource
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.pose_model import PoseModel
from pose_onnx.poses import Poses


class Found(NamedTuple):
    """The people of one picture.

    Attributes:
        poses: The people that are evaluated.
        scores: (N,) float32, by which they are ranked.
        boxes: (N, 4) float32, xyxy, image pixels: all boxes, for box AP.
        box_scores: (N,) float32, the scores of these boxes.
    """

    poses: Poses
    scores: F32
    boxes: F32
    box_scores: F32


class PeopleSource(Protocol):
    """Finds the people of one picture."""

    @property
    def names(self) -> tuple[str, ...]:
        """The K keypoints' names."""

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The OKS sigma of each keypoint: how far annotators disagree on it; empty if unknown."""

    def __call__(self, image_id: int, pixels_bgr: Image) -> Found:
        """Return the people of one picture."""


class InBoxes:
    """Runs a keypoint model on the boxes of a source.

    Args:
        boxes: Gives the boxes of people.
        model: Finds their keypoints.
        threshold: Boxes with a score above this are people.
    """

    def __init__(self, boxes: BoxSource, model: KeypointModel, threshold: float = 0.0) -> None:
        self._boxes, self._model, self._threshold = boxes, model, check_threshold(threshold)
        self.names, self.sigmas = model.names, model.sigmas

    def __call__(self, image_id: int, pixels_bgr: Image) -> Found:
        """Return the people of one picture."""
        boxes, scores = self._boxes(image_id, pixels_bgr)
        people = scores > self._threshold
        poses = self._model(pixels_bgr, boxes[people], box_scores=scores[people])
        return Found(poses, poses.instance_scores(), boxes, scores)


class InPictures:
    """Runs a model that finds people itself; they are ranked by its own scores, as in CenterNet's evaluation.

    Args:
        model: The model. Its threshold should be low, because AP needs people of every score.
    """

    def __init__(self, model: PoseModel) -> None:
        self._model = model
        self.names, self.sigmas = model.names, model.sigmas

    def __call__(self, image_id: int, pixels_bgr: Image) -> Found:
        """Return the people of one picture."""
        del image_id
        poses = self._model(pixels_bgr)
        return Found(poses, poses.box_scores, poses.boxes, poses.box_scores)
