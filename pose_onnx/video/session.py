"""Processes one video frame by frame: find people, assign ids, decide when to run the detector."""

from __future__ import annotations

import itertools
import math
from typing import Any

from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.errors import InputError
from pose_onnx.image_files import load_image
from pose_onnx.pose_model import PoseModel
from pose_onnx.video.actions import Actions
from pose_onnx.video.frame import Frame
from pose_onnx.video.steps import Finder, Found, Step
from pose_onnx.video.tracking.one_euro import Smoothing
from pose_onnx.video.tracking.schedule import Every, frames_between
from pose_onnx.video.tracking.tracker import Tracker

_runs = itertools.count(1)


class VideoSession:
    """Tracks people in one video whose frames the caller passes; see `VideoPoseEstimator.start`.

    Args:
        model: Finds the people. A model that is not a `TopDownModel` cannot be given boxes: it processes
            every whole frame.
        tracker: Assigns the ids.
        smoothing: Smooths the keypoints.
        every: Frames from one detection to the next.
        actions: Recognises actions.
    """

    def __init__(
        self,
        model: PoseModel,
        tracker: Tracker,
        smoothing: Smoothing | None,
        every: Every,
        actions: Actions | None = None,
    ) -> None:
        self._find, self._tracker, self._smoothing = Finder(model), tracker, smoothing
        self._every, self._actions = every, actions
        self._run = next(_runs)
        self._index = -1
        self._time = -math.inf
        self._since_detection = 0  # frames; 0 before the first

    def __call__(self, image: Image, time: float, *, index: int | None = None, color: Color = "bgr") -> Frame:
        """Find the people in the next frame.

        Args:
            image: (H, W, 3) uint8.
            time: Seconds, more than before.
            index: Number of the frame, more than before; the next number when `None`.
            color: Channel order of `image`.

        Returns:
            The frame; its `image` is BGR.

        Raises:
            InputError: The image, the time or the index cannot be used.
        """
        step = self.prepare(image, time, index=index, color=color)
        return self.finish(step, self._find([step])[0])

    def prepare(self, image: Image, time: float, *, index: int | None = None, color: Color = "bgr") -> Step:
        """Begin a frame: the first part of a call. Call `finish` next, or `prepare` for another frame.

        Args:
            image: As in a call.
            time: As in a call.
            index: As in a call.
            color: As in a call.

        Returns:
            The input of a `Finder`.

        Raises:
            InputError: As in a call.
        """
        index = self._index + 1 if index is None else index
        if not (self._time < time < math.inf and index > self._index):
            raise InputError(
                f"frame {index} at {time!r} s was given after frame {self._index} at {self._time!r} s; give"
                " indices and seconds that increase, and call start() for another video"
            )
        pixels = load_image(image, color=color)
        return Step(index, time, pixels, *self._tracker.expect(time), self.is_detection_due(time))

    def finish(self, step: Step, found: Found) -> Frame:
        """Assign ids to the people of the frame: the last part of a call.

        Args:
            step: Result of the last `prepare`.
            found: The people of that frame.
        """
        poses = self._tracker.update(step.image, *found, step.time, looked=step.detect)
        if self._smoothing is not None:
            height, width = step.image.shape[:2]
            poses = self._smoothing(poses, step.time, (height, width))
        if self._actions is not None:
            poses = self._actions(poses, step.time)
        self._index, self._time = step.index, step.time
        self._since_detection = 1 if step.detect else self._since_detection + 1
        return Frame(step.index, step.time, step.image, poses, step.detect, self._run)

    def is_detection_due(self, time: float) -> bool:
        """Return whether the detector will run on the next frame if it has this time (seconds)."""
        if not self._find.can_follow or not self._since_detection or self._tracker.alarmed:
            return True
        step = time - self._time
        between = frames_between(self._every, self._tracker.tracks, step, unsure=self._tracker.unsure)
        return self._since_detection >= between

    def state(self) -> dict[str, Any]:
        """Return the JSON-ready state that `VideoPoseEstimator.start` needs to continue after the last frame.

        Raises:
            InputError: The smoother cannot be saved.
        """
        smoothing = None
        if self._smoothing is not None:
            if not hasattr(self._smoothing, "state"):
                raise InputError(
                    f"{type(self._smoothing).__name__} cannot save its state; use OneEuro or None"
                )
            smoothing = self._smoothing.state()
        return {
            "index": self._index,
            "time": self._time,
            "since_detection": self._since_detection,
            "tracker": self._tracker.state(),
            "smoothing": smoothing,
            "actions": None if self._actions is None else self._actions.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue after the frame at which `state` was called, in a session with the same settings.

        Raises:
            InputError: The state does not fit this session.
        """
        try:
            self._index, self._time = int(state["index"]), float(state["time"])
            self._since_detection = int(state["since_detection"])
            self._tracker.restore(state["tracker"])
            if self._smoothing is not None:
                self._smoothing.restore(state["smoothing"])  # type: ignore[attr-defined]  # it had state()
            if self._actions is not None:
                self._actions.restore(state["actions"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"this state is not of a session with these settings ({error!r}); give what "
                "VideoSession.state returned"
            ) from error
