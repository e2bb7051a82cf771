"""Frames of one video, one by one: where the people are, who they are, and whether to look for more."""

from __future__ import annotations

import itertools
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.boxes import box_iou
from pose_onnx.core.images import Color
from pose_onnx.errors import InputError
from pose_onnx.image_files import load_image
from pose_onnx.pose_model import PoseModel, TopDownModel
from pose_onnx.poses import Poses
from pose_onnx.video.frame import Frame
from pose_onnx.video.tracking.assign import assign
from pose_onnx.video.tracking.one_euro import Smoothing
from pose_onnx.video.tracking.schedule import Every, frames_between
from pose_onnx.video.tracking.tracker import Tracker

MATCHING_IOU: Final = 0.3
"""An expected box that overlaps a detected one so much is of the same person."""

_runs = itertools.count(1)


class VideoSession:
    """Follows the people of one video through frames that the caller gives; see `VideoPoseEstimator.start`.

    Args:
        model: Finds the people. What is no `TopDownModel` cannot be told where to look: it looks at all of
            every frame.
        tracker: Knows who is who.
        smoothing: Steadies the keypoints.
        every: Frames from one detection to the next.
    """

    def __init__(self, model: PoseModel, tracker: Tracker, smoothing: Smoothing | None, every: Every) -> None:
        self._model, self._tracker, self._smoothing = model, tracker, smoothing
        self._top_down = model if isinstance(model, TopDownModel) else None
        self._every = every
        self._run = next(_runs)
        self._index = -1
        self._time = -math.inf
        self._since_detection = 0  # frames; 0 before the first

    def __call__(self, image: Image, time: float, *, index: int | None = None, color: Color = "bgr") -> Frame:
        """Find the people in the next frame.

        Args:
            image: (H, W, 3) uint8.
            time: Seconds, more than before.
            index: Number of the frame, more than before; the next when `None`.
            color: Channel order of `image`.

        Returns:
            The frame; its `image` is BGR.

        Raises:
            InputError: The image, the time or the index cannot be used.
        """
        index = self._index + 1 if index is None else index
        if not (self._time < time < math.inf and index > self._index):
            raise InputError(
                f"frame {index} at {time!r} s was given after frame {self._index} at {self._time!r} s; give"
                " indices and seconds that increase, and call start() for another video"
            )
        pixels = load_image(image, color=color)
        detect = self._is_detection_due(time)
        poses = self._follow(pixels, time, detect=detect)
        if self._smoothing is not None:
            poses = self._smoothing(poses, time, (pixels.shape[0], pixels.shape[1]))
        self._index, self._time = index, time
        self._since_detection = 1 if detect else self._since_detection + 1
        return Frame(index, time, pixels, poses, detect, self._run)

    def _is_detection_due(self, time: float) -> bool:
        if self._top_down is None or not self._since_detection or self._tracker.alarmed:
            return True
        step = time - self._time
        between = frames_between(self._every, self._tracker.tracks, step, unsure=self._tracker.unsure)
        return self._since_detection >= between

    def _follow(self, image: Image, time: float, *, detect: bool) -> Poses:
        """Find the people, and tell who they are."""
        boxes, scores = self._tracker.expect(time)
        if self._top_down is None:
            poses = self._model(image)
            detected = np.ones(len(poses), np.bool_)
        else:
            poses, detected = _look(self._top_down, image, boxes, scores, detect=detect)
        return self._tracker.update(image, poses, detected, time, looked=detect)

    def state(self) -> dict[str, Any]:
        """Return, as JSON knows it, what `VideoPoseEstimator.start` needs to go on after the last frame.

        Raises:
            InputError: The smoother cannot be saved.
        """
        smoothing = None
        if self._smoothing is not None:
            if not hasattr(self._smoothing, "state"):
                raise InputError(f"a {type(self._smoothing).__name__} has no state(); use OneEuro or None")
            smoothing = self._smoothing.state()
        return {
            "index": self._index,
            "time": self._time,
            "since_detection": self._since_detection,
            "tracker": self._tracker.state(),
            "smoothing": smoothing,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after the frame after which `state` was called, in a session of the same settings.

        Raises:
            InputError: It is not a state of such a session.
        """
        try:
            self._index, self._time = int(state["index"]), float(state["time"])
            self._since_detection = int(state["since_detection"])
            self._tracker.restore(state["tracker"])
            if self._smoothing is not None:
                self._smoothing.restore(state["smoothing"])  # type: ignore[attr-defined]  # it had state()
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"this is not a state of a video with these settings ({error!r})") from error


def _look(
    model: TopDownModel, image: Image, boxes: F32, scores: F32, *, detect: bool
) -> tuple[Poses, NDArray[np.bool_]]:
    """Find the people at detected boxes, and at expected ones that no detected one is at.

    Args:
        model: Finds them.
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4), xyxy, image pixels: where people are expected.
        scores: (N,), of those boxes.
        detect: Whether to detect.

    Returns:
        The poses, and which of them are at detected boxes.
    """
    if not detect:
        return model.find_in_boxes(image, boxes, box_scores=scores), np.zeros(len(boxes), np.bool_)
    found = model.find_boxes(image)
    overlaps = box_iou(boxes.astype(np.float64), found.boxes.astype(np.float64))
    missed = sorted(set(range(len(boxes))) - {row for row, _ in assign(overlaps, MATCHING_IOU)})
    boxes = np.concatenate([found.boxes, boxes[missed]])
    scores = np.concatenate([found.scores, scores[missed]])
    detected = np.arange(len(boxes)) < len(found)
    return model.find_in_boxes(image, boxes, box_scores=scores), detected
