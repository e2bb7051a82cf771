"""When to run action recognition, and on which poses: two ways, one class each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.window import WindowSpec
from pose_onnx.core.arrays import F32
from pose_onnx.core.windows import Window, at_times
from pose_onnx.errors import InputError
from pose_onnx.poses import Poses

EVERY: Final = 0.5
"""Seconds from one question about a person to the next."""
LEAST_SEEN: Final = 0.5
"""Of a window, that a person must have been seen before the first question."""
LONGEST_GAP: Final = 0.5
"""Seconds that a person may be lost. What is made up for longer ones is not motion that anyone has seen."""


class Due(NamedTuple):
    """A question: what does this person do?

    Attributes:
        person: Their id.
        window: Their poses.
    """

    person: int
    window: Window


class Windows(Protocol):
    """Collects the poses of a video, and decides when to run the action model."""

    def add(self, poses: Poses, time: float) -> list[Due]:
        """Take the people of the next frame.

        Args:
            poses: With ids.
            time: Of the frame, seconds.

        Returns:
            The questions that are due now, in the order of ids.

        Raises:
            InputError: The poses have no ids.
        """

    def state(self) -> dict[str, Any]:
        """Return what was collected, as JSON-ready data."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` returned.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """


class _Sighting(NamedTuple):
    time: float
    keypoints: F32
    box: F32


@dataclass(slots=True)
class _Person:
    """What is known of one person.

    Attributes:
        turn: In which turn, of `EVERY` seconds each, the last question was; at first that of the first
            sighting.
        seen: The sightings of a window, and one before it to interpolate from.
    """

    turn: int
    seen: deque[_Sighting] = field(default_factory=deque)


class SlidingWindows:
    """Windows over real time: every half second, the last seconds of everyone in view.

    The poses of a window are interpolated at even times. So its frames are as far apart as those that the
    model was trained with, whatever the video's frame rate, and frames without the person are bridged.
    After a gap longer than `LONGEST_GAP`, a person's window starts again. Someone seen for less than a
    whole window has a shorter one, and for less than half of it none.

    So a fall is reported the first time that a due window shows enough of it: up to `EVERY` seconds later
    than with a window at each frame.

    Args:
        spec: The model's input.
    """

    def __init__(self, spec: WindowSpec) -> None:
        self._seconds = spec.seconds
        self._ages = np.arange(spec.frames)[::-1] * (spec.seconds / spec.frames)
        self._people: dict[int, _Person] = {}
        self._time = -np.inf

    def add(self, poses: Poses, time: float) -> list[Due]:
        """See `Windows`. A time before the last one starts another video."""
        ids = _ids(poses)
        if time < self._time:
            self._people.clear()
        self._time = time
        for number, person in list(self._people.items()):
            if time - person.seen[-1].time > LONGEST_GAP:
                del self._people[number]
        turn = int(time // EVERY)
        for index, number in enumerate(ids.tolist()):
            person = self._people.setdefault(number, _Person(turn))
            self._see(person, _Sighting(time, poses.keypoints[index].copy(), poses.boxes[index].copy()))
        return [due for number in sorted(ids.tolist()) if (due := self._ask(number, turn))]

    def state(self) -> dict[str, Any]:
        """See `Windows`."""
        people = {
            str(number): {"turn": person.turn, "seen": [_to_json(*sighting) for sighting in person.seen]}
            for number, person in self._people.items()
        }
        return {"time": self._time, "people": people}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Windows`."""
        self._time = float(state["time"])
        self._people = {
            int(number): _Person(int(person["turn"]), deque(_sighting(*each) for each in person["seen"]))
            for number, person in state["people"].items()
        }

    def _see(self, person: _Person, sighting: _Sighting) -> None:
        seen = person.seen
        if seen and sighting.time <= seen[-1].time:  # of two frames at one time the first stays
            return
        seen.append(sighting)
        while len(seen) > 1 and seen[1].time <= sighting.time - self._seconds:
            seen.popleft()

    def _ask(self, number: int, turn: int) -> Due | None:
        person = self._people[number]
        long_enough = self._time - person.seen[0].time >= LEAST_SEEN * self._seconds
        if person.turn == turn or not long_enough:
            return None
        person.turn = turn
        times = np.array([each.time for each in person.seen])
        wanted = self._time - self._ages
        wanted = wanted[wanted >= times[0]]
        keypoints = np.stack([each.keypoints for each in person.seen])
        boxes = np.stack([each.box for each in person.seen])
        return Due(number, Window(at_times(times, keypoints, wanted), at_times(times, boxes, wanted)))


class PaddleWindows:
    """The same windows as PP-Human's pipeline, frame by frame, for equal results.

    A person's window is full after as many frames as the network takes, however far apart in time, and the
    next one starts empty: windows do not overlap. One frame without the person, but with someone else, ends
    the window, however short. Frames without anyone are not counted, and a window continues over them. A
    window that is unfinished at the end of the video is never evaluated. Coordinates of boxes are truncated
    to integers.

    Errors of PP-Human that are not reproduced (`pose_onnx.core.windows`): it divides by zero where a box
    has no area, and fails for a window that is longer than the network's if every frame of it counts.

    Args:
        spec: The model's input.
    """

    def __init__(self, spec: WindowSpec) -> None:
        self._frames = spec.frames
        self._begun: dict[int, list[_Sighting]] = {}

    def add(self, poses: Poses, time: float) -> list[Due]:
        """See `Windows`; the time does not matter."""
        ids = _ids(poses).tolist()
        if not ids:
            return []
        for index, person in enumerate(ids):
            frame = _Sighting(time, poses.keypoints[index].copy(), np.trunc(poses.boxes[index]))
            self._begun.setdefault(person, []).append(frame)
        ended = [
            person for person, seen in self._begun.items() if len(seen) == self._frames or person not in ids
        ]
        return [Due(person, _joined(self._begun.pop(person))) for person in sorted(ended)]

    def state(self) -> dict[str, Any]:
        """See `Windows`."""
        return {str(person): [_to_json(*each) for each in seen] for person, seen in self._begun.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Windows`."""
        self._begun = {int(person): [_sighting(*each) for each in seen] for person, seen in state.items()}


def _to_json(time: float, keypoints: F32, box: F32) -> list[Any]:
    return [time, keypoints.tolist(), box.tolist()]


def _sighting(time: float, keypoints: list[Any], box: list[Any]) -> _Sighting:
    return _Sighting(float(time), np.array(keypoints, np.float32), np.array(box, np.float32))


def _joined(seen: list[_Sighting]) -> Window:
    return Window(np.stack([each.keypoints for each in seen]), np.stack([each.box for each in seen]))


def _ids(poses: Poses) -> NDArray[np.int64]:
    if poses.ids is None:
        raise InputError("the poses have no ids; give poses of a video, in which people are tracked")
    return poses.ids
