"""Action recognition in videos: when to run the model, and how long to show its result, by mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from pose_onnx.action_model import ActionModel
from pose_onnx.action_windows import EVERY, LONGEST_GAP, PaddleWindows, SlidingWindows, Windows
from pose_onnx.cards.window import WindowSpec
from pose_onnx.errors import InputError
from pose_onnx.poses import Action, Poses

SHOWN_FRAMES: Final = 80
"""PP-Human's `display_frames` (deploy/pipeline/config/infer_cfg_pphuman.yml)."""


class Display(Protocol):
    """Decides which action is shown for each person: the last result, for a limited time."""

    def update(self, answers: Mapping[int, Action], time: float) -> dict[int, Action]:
        """Take the results of the next frame, by id, and return the actions to show on it.

        Args:
            answers: By id.
            time: Of the frame, seconds.
        """

    def state(self) -> dict[str, Any]:
        """Return the actions shown, ready for JSON."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a return value of `state`.

        Raises:
            KeyError, TypeError, ValueError: The value has the wrong form.
        """


class Latest:
    """The last result stays until the next one is due, and for as long as a lost track is kept.

    Args:
        first: The model's first class. It gets no special treatment.
    """

    def __init__(self, first: str) -> None:
        del first
        self._said: dict[int, tuple[Action, float]] = {}

    def update(self, answers: Mapping[int, Action], time: float) -> dict[int, Action]:
        """See `Display`."""
        self._said |= {person: (action, time) for person, action in answers.items()}
        self._said = {
            person: (action, said)
            for person, (action, said) in self._said.items()
            if 0 <= time - said <= EVERY + LONGEST_GAP
        }
        return {person: action for person, (action, _) in self._said.items()}

    def state(self) -> dict[str, Any]:
        """See `Display`."""
        return _to_json(self._said)

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Display`."""
        self._said = _from_json(state)


class Shown:
    """A result is shown for a fixed number of frames, as in PP-Human.

    While the model's first class ("falling") is shown, no other class replaces it. It may start again.

    Args:
        first: The label that stays.
        frames: Number of frames a result is shown, including the frame it belongs to.
    """

    def __init__(self, first: str, frames: int = SHOWN_FRAMES) -> None:
        self._first = first
        self._frames = frames
        self._left: dict[int, tuple[Action, int]] = {}

    def update(self, answers: Mapping[int, Action], time: float) -> dict[int, Action]:
        """See `Display`; the time is ignored."""
        del time
        for person, action in answers.items():
            stays = person in self._left and self._left[person][0].label == self._first
            if action.label == self._first or not stays:
                self._left[person] = action, self._frames
        shown = {person: action for person, (action, _) in self._left.items()}
        self._left = {person: (action, left - 1) for person, (action, left) in self._left.items() if left > 1}
        return shown

    def state(self) -> dict[str, Any]:
        """See `Display`."""
        return _to_json(self._left)

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Display`."""
        self._left = {person: (action, int(left)) for person, (action, left) in _from_json(state).items()}


def _to_json(shown: Mapping[int, tuple[Action, float]]) -> dict[str, Any]:
    return {
        str(person): [action.label, action.probability, action.probabilities.tolist(), number]
        for person, (action, number) in shown.items()
    }


def _from_json(state: Mapping[str, Any]) -> dict[int, tuple[Action, float]]:
    return {
        int(person): (Action(label, float(probability), np.array(every, np.float32)), float(number))
        for person, (label, probability, every, number) in state.items()
    }


class Mode(NamedTuple):
    """An action recognition mode: which windows the model sees, and how long its results are shown."""

    windows: Callable[[WindowSpec], Windows]
    display: Callable[[str], Display]


MODES: Final[Mapping[str, Mode]] = MappingProxyType(
    {"sliding": Mode(SlidingWindows, Latest), "paddle": Mode(PaddleWindows, Shown)}
)
DEFAULT_MODE: Final = "sliding"


class Actions:
    """Recognises the action of each person on every frame of one video.

    Args:
        model: Recognises actions in windows of poses.
        mode: One of `MODES`.
        names: The K keypoints of the poses.

    Raises:
        InputError: The mode is unknown, or the poses lack a keypoint that the model needs.
    """

    def __init__(self, model: ActionModel, mode: str, names: Sequence[str]) -> None:
        if mode not in MODES:
            raise InputError(f"action_windows={mode!r} was given; give one of {list(MODES)}")
        if missing := [name for name in model.card.keypoints if name not in names]:
            raise InputError(
                f"{model.card.name!r} needs the keypoints {missing}, which the pose model does not find; "
                "give models with the same keypoints"
            )
        self._model = model
        self._joints = [names.index(name) for name in model.card.keypoints]
        self._windows = MODES[mode].windows(model.window)
        self._display = MODES[mode].display(model.card.classes[0])

    def __call__(self, poses: Poses, time: float) -> Poses:
        """Return the people of the next frame with their `actions`.

        Args:
            poses: With ids.
            time: Of the frame, seconds.
        """
        due = self._windows.add(self._looked_at(poses), time)
        found = self._model.find_all([window for _, window in due])
        answers = {person: action for (person, _), action in zip(due, found, strict=True)}
        shown = self._display.update(answers, time)
        ids = [] if poses.ids is None else poses.ids.tolist()
        return replace(poses, actions=tuple(shown.get(person) for person in ids))

    def _looked_at(self, poses: Poses) -> Poses:
        """Return the joints that the model uses and whose position is known."""
        names = self._model.card.keypoints
        keypoints, scores = poses.keypoints[:, self._joints], poses.scores[:, self._joints]
        bare = Poses(keypoints, scores, poses.boxes, poses.box_scores, names, poses.ids)
        has_joints, has_box = np.isfinite(keypoints).all(axis=(1, 2)), np.isfinite(poses.boxes).all(axis=1)
        return bare[np.flatnonzero(has_joints & has_box)]

    def state(self) -> dict[str, Any]:
        """Return the state so far, ready for JSON."""
        return {"windows": self._windows.state(), "display": self._display.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a return value of `state`.

        Raises:
            KeyError, TypeError, ValueError: The value has the wrong form.
        """
        self._windows.restore(state["windows"])
        self._display.restore(state["display"])
