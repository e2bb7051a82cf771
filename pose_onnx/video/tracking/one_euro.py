"""The One-Euro filter for each person and joint, in real time: less jitter with little lag.

G. Casiez, N. Roussel, D. Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems", CHI 2012: a low-pass filter whose cutoff frequency grows with the speed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np

from pose_onnx.core.arrays import F32, F64
from pose_onnx.errors import InputError
from pose_onnx.poses import Poses
from pose_onnx.video.state import from_json, to_json
from pose_onnx.video.tracking.motion import person_size

SURE_SCORE: Final = 0.4
"""A joint with this score or more is followed at full rate; below, in proportion to its score."""
_LEAST_SPEED: Final = 1e-9  # sizes per second; keeps the division finite


class Smoothing(Protocol):
    """Smooths one video.

    If it also has `state()`, JSON-ready, and `restore(state)`, it can be saved with its session.
    """

    def __call__(self, poses: Poses, time: float, image_size: tuple[int, int]) -> Poses:
        """Return the poses of the next frame, smoothed.

        Args:
            poses: With ids.
            time: Seconds, later than the last.
            image_size: Height and width, pixels.
        """


class Smoother(Protocol):
    """How to smooth; makes a new `Smoothing` for each video."""

    def start(self) -> Smoothing:
        """Begin a video."""


@dataclass(frozen=True, slots=True)
class OneEuro:
    """Settings of the One-Euro filter.

    The unit of length is the person's size, the square root of the area of the box, so that people near and
    far are smoothed alike; time is real time, so that a video is smoothed alike at any frame rate.

    Attributes:
        min_cutoff: Cutoff frequency at rest, Hz: lower is steadier.
        beta: Increase of the cutoff with speed, Hz per (person size per second): higher lags less.
        rest_speed: Person sizes per second. Speeds around and below this value count less, because the noise
            of a still joint looks the same; 0 gives the paper's formula.
        d_cutoff: Cutoff frequency of the speed itself, Hz.
    """

    min_cutoff: float = 0.15
    beta: float = 8.0
    rest_speed: float = 0.15
    d_cutoff: float = 0.7

    def __post_init__(self) -> None:
        right = (self.min_cutoff > 0, self.beta >= 0, self.rest_speed >= 0, self.d_cutoff > 0)
        if not all(right):  # NaN is none of it
            raise InputError(f"{self} was given; cutoffs must be above 0 Hz, beta and rest_speed 0 or more")

    def start(self) -> OneEuroSmoothing:
        """Begin a video."""
        return OneEuroSmoothing(self)


@dataclass(frozen=True, slots=True, eq=False)
class FilterState:
    """The filter's state for one person.

    Attributes:
        time: Of the last frame, seconds.
        raw: (K, 2), measured then, pixels.
        smooth: (K, 2), filtered, pixels.
        speed: (K, 2), filtered, pixels per second.
    """

    time: float
    raw: F64
    smooth: F64
    speed: F64


def one_euro_step(
    settings: OneEuro, state: FilterState | None, points: F64, scores: F64, *, time: float, size: float
) -> FilterState:
    """Take one step of the filter for one person.

    Args:
        settings: Cutoffs.
        state: State after the last frame; `None` for a new person.
        points: (K, 2), measured now, pixels.
        scores: (K,), the joints' scores.
        time: Of this frame, seconds, later than the last.
        size: The person's size, pixels.
    """
    if state is None:
        return FilterState(time, points, points, np.zeros_like(points))
    passed = time - state.time
    trust = np.minimum(scores / SURE_SCORE, 1.0)[:, None]
    measured = (points - state.raw) / passed
    speed = state.speed + trust * low_pass(settings.d_cutoff, passed) * (measured - state.speed)
    fast = np.hypot(speed[:, :1], speed[:, 1:]) / size
    fast = fast * fast / np.maximum(fast + settings.rest_speed, _LEAST_SPEED)
    cutoffs = settings.min_cutoff + settings.beta * fast
    smooth = state.smooth + trust * low_pass(cutoffs, passed) * (points - state.smooth)
    return FilterState(time, points, smooth, speed)


def low_pass(cutoff: F64 | float, passed: float) -> F64:
    """Return the weight of the newest value in a first-order low-pass filter.

    Args:
        cutoff: Hz.
        passed: Seconds since the last value.
    """
    # alpha = 1 / (1 + tau / T) with tau = 1 / (2 pi cutoff), equation 6 of the paper.
    return np.asarray(1 / (1 + 1 / (2 * math.pi * cutoff * passed)))


class OneEuroSmoothing:
    """Filters all people in one video; a person who was lost starts with a fresh filter."""

    def __init__(self, settings: OneEuro) -> None:
        self._settings = settings
        self._people: dict[int, FilterState] = {}

    def __call__(self, poses: Poses, time: float, image_size: tuple[int, int]) -> Poses:
        """Return the poses with their keypoints filtered."""
        del image_size
        if poses.ids is None:
            raise InputError("the poses have no ids; smooth those of a VideoPoseEstimator")
        keypoints: F32 = poses.keypoints.copy()
        people: dict[int, FilterState] = {}
        for index, person in enumerate(poses.ids.tolist()):
            points, scores = (array[index].astype(np.float64) for array in (poses.keypoints, poses.scores))
            people[person] = one_euro_step(
                self._settings,
                self._people.get(person),
                points,
                scores,
                time=time,
                size=person_size(poses.boxes[index]),
            )
            keypoints[index] = people[person].smooth
        self._people = people
        return replace(poses, keypoints=keypoints)

    def state(self) -> dict[str, Any]:
        """Return the JSON-ready state that `restore` needs."""
        return {str(person): to_json(state) for person, state in self._people.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from the point where `state` was called.

        Raises:
            KeyError, TypeError, ValueError: The value has the wrong form.
        """
        self._people = {int(person): from_json(FilterState, each) for person, each in state.items()}
