"""Pose tracking in videos: frames in, people with ids out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, Final

from pose_onnx.action_model import ActionModel
from pose_onnx.closing import Closing
from pose_onnx.core.images import Color
from pose_onnx.errors import InputError
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.pose_model import PoseModel
from pose_onnx.video.actions import DEFAULT_MODE, Actions
from pose_onnx.video.frame import Frame
from pose_onnx.video.session import VideoSession
from pose_onnx.video.sources.open import VideoSource, open_source
from pose_onnx.video.tracking.assign import check_can_assign
from pose_onnx.video.tracking.one_euro import OneEuro, Smoother
from pose_onnx.video.tracking.paddle_filter import PaddleFilter
from pose_onnx.video.tracking.schedule import Every, check_every
from pose_onnx.video.tracking.tracker import Tracker

SMOOTHERS: Final[Mapping[str, Smoother]] = MappingProxyType({"accurate": OneEuro(), "paddle": PaddleFilter()})
"""Smoothing presets by name."""


class VideoPoseEstimator(Closing):
    """Finds people in a video, gives each an id, and smooths their keypoints.

    Args:
        estimator: Any `PoseModel`; a `PoseEstimator()` when `None`. Not closed by this object if given.
        every: Run the detector on every Nth frame, and sooner when a track is lost or uncertain. In between,
            people are tracked by their keypoints. `"auto"` chooses N from their motion, so that a new
            person is found within half a second. A model that is not a `TopDownModel` runs on every frame.
        smooth: `OneEuro(...)` or another smoother, a preset's name (`"accurate"`, `"paddle"`), or `None`.
        max_people: Maximum number of people to track.
        actions: Recognises actions: an `ActionModel`, not closed by this object, or the name or path of
            one. Frames then have `poses.actions` (docs/actions.md).
        action_windows: Which poses it sees: "sliding" over the last seconds, or as in PP-Human ("paddle").

    Raises:
        InputError: An option that cannot be used.
        DependencyError: SciPy is not installed (extra `video`).
        PoseOnnxError: One of its kinds; see `PoseEstimator`.

    Example:
        >>> with VideoPoseEstimator() as video:  # doctest: +SKIP
        ...     for frame in video.run("walk.mp4"):
        ...         print(frame.time, frame.poses.ids, frame.poses.keypoints.shape)
    """

    def __init__(
        self,
        estimator: PoseModel | None = None,
        *,
        every: Every = "auto",
        smooth: Smoother | str | None = "accurate",
        max_people: int | None = None,
        actions: ActionModel | str | os.PathLike[str] | None = None,
        action_windows: str = DEFAULT_MODE,
    ) -> None:
        if max_people is not None and max_people < 1:
            raise InputError(
                f"max_people={max_people!r} was given; give a whole number of 1 or more, or None"
            )
        check_can_assign()
        self.every = check_every(every)
        self.smooth = _find_smoother(smooth)
        self.max_people = max_people
        with ExitStack() as opened:  # closes the models again if the setup fails
            if estimator is None:
                estimator = opened.enter_context(PoseEstimator())
            if actions is not None and not isinstance(actions, ActionModel):
                actions = opened.enter_context(ActionModel(actions))
            self.estimator: PoseModel = estimator
            self.actions, self.action_windows = actions, action_windows
            self._sigmas = _demand_sigmas(estimator)
            self._begin_actions()
            self._opened = opened.pop_all()

    def _begin_actions(self) -> Actions | None:
        if self.actions is None:
            return None
        return Actions(self.actions, self.action_windows, self.estimator.names)

    def start(self, state: Mapping[str, Any] | None = None) -> VideoSession:
        """Begin a video whose frames the caller passes one by one, such as from a camera API or a robot.

        Args:
            state: Return value of `VideoSession.state`; continues after that frame, with the same ids.

        Returns:
            A session: `session(image, time)` returns a `Frame`. Ids begin at 1 unless `state` is given.

        Raises:
            InputError: The state cannot be used.

        Example:
            >>> live = video.start()  # doctest: +SKIP
            >>> while True:  # doctest: +SKIP
            ...     frame = live(camera.capture_array(), time.monotonic(), color="rgb")
            ...     robot.look_at(frame.poses)
        """
        smoothing = None if self.smooth is None else self.smooth.start()
        tracker = Tracker(self._sigmas, self.max_people)
        session = VideoSession(self.estimator, tracker, smoothing, self.every, self._begin_actions())
        if state is not None:
            session.restore(dict(state))
        return session

    def run(
        self,
        source: VideoSource,
        *,
        start: float | None = None,
        stop: float | None = None,
        fps: float | None = None,
        color: Color = "bgr",
        session: VideoSession | None = None,
    ) -> Iterator[Frame]:
        """Track people through a video; ids begin at 1 in each video.

        Args:
            source: File, folder of frames, camera number, URL, pairs of (seconds, array), or the result of
                `open_source` (pass `start`, `fps` and `color` to that call instead).
            start: Start at this time, seconds.
            stop: End before this time, seconds.
            fps: Frame rate of a folder of frames; for a file, replaces its own time stamps.
            color: Channel order of arrays.
            session: A session from `start` to continue; a new one when `None`.

        Returns:
            A lazy iterator of frames. The source is opened at the first frame and closed after the last.

        Raises:
            InputError: The source or an option cannot be used.
            SourceError: A camera or stream cannot be opened, or failed and could not be reopened.
        """
        follow = self.start() if session is None else session
        with open_source(source, fps=fps, start=start or 0.0, color=color) as frames:
            for index, time, image in frames:
                if stop is not None and time >= stop:
                    return
                yield follow(image, time, index=index)

    def close(self) -> None:
        """Release the models, unless they were given."""
        self._opened.close()


def _demand_sigmas(model: PoseModel) -> tuple[float, ...]:
    if model.sigmas:
        return model.sigmas
    raise InputError(
        f"the model has {len(model.names)} keypoints but no sigmas, which tracking needs to distinguish "
        "people; add oks_sigmas to its card, one for each keypoint"
    )


def _find_smoother(smooth: Smoother | str | None) -> Smoother | None:
    if not isinstance(smooth, str):
        return smooth
    if smooth not in SMOOTHERS:
        raise InputError(f"smooth={smooth!r} was given; give one of {list(SMOOTHERS)}, OneEuro(...) or None")
    return SMOOTHERS[smooth]
