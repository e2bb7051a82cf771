"""Poses in motion: frames in, people with ids out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from pose_onnx.closing import Closing
from pose_onnx.core.arrays import Image
from pose_onnx.core.boxes import box_iou
from pose_onnx.core.oks import sigmas_of
from pose_onnx.errors import InputError
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.poses import Poses
from pose_onnx.video.frame import Frame
from pose_onnx.video.sources.open import VideoSource, open_source
from pose_onnx.video.tracking.assign import assign
from pose_onnx.video.tracking.one_euro import OneEuro, Smoother, Smoothing
from pose_onnx.video.tracking.paddle_filter import PaddleFilter
from pose_onnx.video.tracking.schedule import Every, check_every, frames_between
from pose_onnx.video.tracking.tracker import Tracker

MATCHING_IOU: Final = 0.3
"""An expected box that overlaps a detected one so much is of the same person."""

_LEAST_STEP_S: Final = 1e-4

SMOOTHERS: Final[Mapping[str, Smoother]] = MappingProxyType({"accurate": OneEuro(), "paddle": PaddleFilter()})
"""Smoothing by the name of its preset."""


class VideoPoseEstimator(Closing):
    """Finds people in a video, gives each an id, and steadies their keypoints.

    Args:
        estimator: The models; a `PoseEstimator()` when `None`. Not closed by this object if given.
        every: The detector looks at every so-manieth frame, and sooner when someone is lost or hard to see;
            between, people are followed by their keypoints. `"auto"` chooses by their motion, so that
            someone who comes in is found within half a second.
        smooth: `OneEuro(...)` or another smoother, a preset's name (`"accurate"`, `"paddle"`), or `None`.
        max_people: Follow at most so many.

    Raises:
        InputError: An option that cannot be used.
        PoseOnnxError: One of its kinds; see `PoseEstimator`.

    Example:
        >>> with VideoPoseEstimator() as video:  # doctest: +SKIP
        ...     for frame in video.run("walk.mp4"):
        ...         print(frame.time, frame.poses.ids, frame.poses.keypoints.shape)
    """

    def __init__(
        self,
        estimator: PoseEstimator | None = None,
        *,
        every: Every = "auto",
        smooth: Smoother | str | None = "accurate",
        max_people: int | None = None,
    ) -> None:
        if max_people is not None and max_people < 1:
            raise InputError(
                f"max_people={max_people!r} was given; give a whole number of 1 or more, or None"
            )
        self.every = check_every(every)
        self.smooth = _find_smoother(smooth)
        self.max_people = max_people
        self._owned = estimator is None
        self.estimator = PoseEstimator() if estimator is None else estimator
        self._sigmas = sigmas_of(self.estimator.keypoint_model.card)

    def run(
        self,
        source: VideoSource,
        *,
        start: float | None = None,
        stop: float | None = None,
        fps: float | None = None,
    ) -> Iterator[Frame]:
        """Follow people through a video; ids begin at 1 in each.

        Args:
            source: File, folder of frames, camera number, URL, pairs of (seconds, BGR array), or what
                `open_source` returned (then `start` and `fps` were for that).
            start: From this time on, seconds.
            stop: Until before this time, seconds.
            fps: Of a folder of frames, or a file without time stamps.

        Returns:
            The frames, as they are asked for. The source is opened by the first and closed after the last.

        Raises:
            InputError: The source or an option cannot be used.
            SourceError: A camera or stream cannot be opened, or broke and did not come back.
        """
        tracker = Tracker(self._sigmas, self.max_people)
        smoothing = None if self.smooth is None else self.smooth.start()
        last_time, since = 0.0, None
        with open_source(source, fps=fps, start=start or 0.0) as frames:
            for index, time, image in frames:
                if stop is not None and time >= stop:
                    return
                step = max(time - last_time, _LEAST_STEP_S)
                between = frames_between(self.every, tracker.tracks, step, unsure=tracker.unsure)
                detect = since is None or tracker.alarmed or since >= between
                since = 1 if detect else (since or 0) + 1
                last_time = time
                poses = self._follow(tracker, image, time, detect=detect)
                yield Frame(index, time, image, _smoothed(smoothing, poses, time, image), detect)

    def _follow(self, tracker: Tracker, image: Image, time: float, *, detect: bool) -> Poses:
        """Find the people at detected and expected boxes, and tell who they are."""
        boxes, scores = tracker.expect(time)
        detected = np.zeros(len(boxes), np.bool_)
        if detect:
            found = self.estimator.detector(image)
            overlaps = box_iou(boxes.astype(np.float64), found.boxes.astype(np.float64))
            missed = sorted(set(range(len(boxes))) - {row for row, _ in assign(overlaps, MATCHING_IOU)})
            boxes = np.concatenate([found.boxes, boxes[missed]])
            scores = np.concatenate([found.scores, scores[missed]])
            detected = np.arange(len(boxes)) < len(found)
        poses = self.estimator.keypoint_model(image, boxes, box_scores=scores)
        return tracker.update(image, poses, detected, time, looked=detect)

    def close(self) -> None:
        """Release the models, unless they were given."""
        if self._owned:
            self.estimator.close()


def _smoothed(smoothing: Smoothing | None, poses: Poses, time: float, image: Image) -> Poses:
    return poses if smoothing is None else smoothing(poses, time, (image.shape[0], image.shape[1]))


def _find_smoother(smooth: Smoother | str | None) -> Smoother | None:
    if not isinstance(smooth, str):
        return smooth
    if smooth not in SMOOTHERS:
        raise InputError(f"smooth={smooth!r} was given; give one of {list(SMOOTHERS)}, OneEuro(...) or None")
    return SMOOTHERS[smooth]
