"""The people of one picture as JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import BOX, POINT
from pose_onnx.detections import Detections
from pose_onnx.poses import Action, Poses

DECIMALS: Final = 4  # 1e-4 pixel, 1e-4 of a score: far below what any model resolves


def people_to_json(poses: Poses) -> list[dict[str, Any]]:
    """Return a dict for each person: `id`, `box`, `box_score`, `keypoints`, `scores`, `action`.

    There is no `id` if people are not tracked, and no `action` (`label` and `probability`) if none is known.
    Coordinates are image pixels. Numbers that are not finite are `None`.
    """
    columns = {
        "box": numbers(poses.boxes),
        "box_score": numbers(poses.box_scores),
        "keypoints": numbers(poses.keypoints),
        "scores": numbers(poses.scores),
    }
    if poses.ids is not None:
        columns = {"id": poses.ids.tolist(), **columns}
    people = [dict(zip(columns, person, strict=True)) for person in zip(*columns.values(), strict=True)]
    for person, action in zip(people, poses.actions or (), strict=False):
        if action is not None:
            probability = round(action.probability, DECIMALS)
            person["action"] = {"label": action.label, "probability": probability}
    return people


def people_from_json(people: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Poses:
    """Return the argument of `people_to_json`, rounded to 4 decimals; `None` becomes NaN.

    If one person has no id, the result has no ids. For an empty list, the ids are an empty array.
    """
    count, joints = len(people), len(names)
    tracked = all("id" in person for person in people)
    return Poses(
        keypoints=_floats(people, "keypoints").reshape(count, joints, POINT),
        scores=_floats(people, "scores").reshape(count, joints),
        boxes=_floats(people, "box").reshape(count, BOX),
        box_scores=_floats(people, "box_score"),
        names=tuple(names),
        ids=np.array([person["id"] for person in people], np.int64) if tracked else None,
        actions=_actions(people),
    )


def _actions(people: Sequence[Mapping[str, Any]]) -> tuple[Action | None, ...] | None:
    found = [person.get("action") for person in people]
    if not any(found):
        return None
    return tuple(each and Action(each["label"], float(each["probability"])) for each in found)


def boxes_to_json(found: Detections) -> list[dict[str, Any]]:
    """Return a dict for each box: `box`, `score`, `label`, and `class` if it is known."""
    boxes = [
        {"box": box, "score": score, "label": label}
        for box, score, label in zip(
            numbers(found.boxes), numbers(found.scores), found.labels.tolist(), strict=True
        )
    ]
    return [{**box, "class": found.classes[box["label"]]} for box in boxes] if found.classes else boxes


def numbers(array: NDArray[np.float32]) -> list[Any]:
    """Return an array as nested lists, rounded; `None` for NaN and infinities."""
    # In float64: a rounded float32 would be printed with all its digits.
    rounded = array.astype(np.float64).round(DECIMALS)
    values = rounded.astype(object)
    values[~np.isfinite(rounded)] = None
    nested: list[Any] = values.tolist()
    return nested


def _floats(people: Sequence[Mapping[str, Any]], field: str) -> NDArray[np.float32]:
    return np.array([person[field] for person in people], np.float32)  # None becomes NaN
