"""CSV: one row per person and frame, for tables and spreadsheets.

The columns: the origin of the row (`frame`, `time` for a video), `id` (empty if people are not tracked),
`box_x1`, `box_y1`, `box_x2`, `box_y2`, `box_score`, and for each keypoint `NAME_x`, `NAME_y` and
`NAME_score`; then, if requested, `NAME_angle` in degrees for each angle, and `action` with
`action_probability`. Coordinates are image pixels. Numbers that are not finite and unknown values are left
empty. A frame without people has no row.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pose_onnx.core.angles import NO_ANGLES, Triple, joint_angles, triple_indices
from pose_onnx.files import atomic_path
from pose_onnx.formats._frames import FrameRecord
from pose_onnx.formats._people import numbers, people_to_json
from pose_onnx.poses import Poses

FRAME_COLUMNS: Final = ("frame", "time")
_TIME_DECIMALS: Final = 6  # microseconds
_ACTION_COLUMNS: Final = ("action", "action_probability")
_BOX_COLUMNS: Final = ("box_x1", "box_y1", "box_x2", "box_y2", "box_score")


def write_csv(
    path: str | os.PathLike[str],
    frames: Iterable[FrameRecord],
    keypoint_names: Sequence[str],
    *,
    angles: Mapping[str, Triple] = NO_ANGLES,
    actions: bool = False,
) -> None:
    """Write the people of a video; the file is written completely or not at all.

    Args:
        path: The file; one that is there is replaced.
        frames: As `read_frames` yields them.
        keypoint_names: As `read_header` returns them.
        angles: What to measure too, as `joint_angles` takes it.
        actions: Whether to write what the people do.

    Raises:
        InputError: An angle is of a keypoint that is not there.
        OutputError: The file cannot be written.
    """
    places = (
        ({"frame": frame.index, "time": round(frame.time, _TIME_DECIMALS)}, frame.poses) for frame in frames
    )
    write_csv_rows(path, FRAME_COLUMNS, places, keypoint_names, angles=angles, actions=actions)


def write_csv_rows(
    path: str | os.PathLike[str],
    place_columns: Iterable[str],
    people: Iterable[tuple[Mapping[str, Any], Poses]],
    keypoint_names: Sequence[str],
    *,
    angles: Mapping[str, Triple] = NO_ANGLES,
    actions: bool = False,
) -> None:
    """Write people from any source: each `Poses` with the values that state its origin.

    Args:
        path: The file; one that is there is replaced.
        place_columns: Names of the columns that state the origin of a row.
        people: The values of these columns, and the people.
        keypoint_names: The K keypoints' names.
        angles: What to measure too, as `joint_angles` takes it.
        actions: Whether to write what the people do.

    Raises:
        InputError: An angle is of a keypoint that is not there.
        OutputError: The file cannot be written.
    """
    triple_indices(angles, keypoint_names)
    joints = [f"{name}_{field}" for name in keypoint_names for field in ("x", "y", "score")]
    degrees = [f"{name}_angle" for name in angles]
    escaped = "backslashreplace"  # a file name that is not UTF-8 holds lone surrogates
    with atomic_path(path) as part, part.open("x", encoding="utf-8", errors=escaped, newline="") as file:
        writer = csv.writer(file)
        done = _ACTION_COLUMNS if actions else ()
        writer.writerow([*place_columns, "id", *_BOX_COLUMNS, *joints, *degrees, *done])
        for place, poses in people:
            writer.writerows([*place.values(), *row] for row in _rows(poses, angles, actions=actions))


def _rows(poses: Poses, angles: Mapping[str, Triple], *, actions: bool) -> Iterator[list[Any]]:
    for person, degrees in zip(people_to_json(poses), numbers(joint_angles(poses, angles)), strict=True):
        joints = zip(person["keypoints"], person["scores"], strict=True)
        values = [value for point, score in joints for value in (*point, score)]
        action = person.get("action", {})
        done = [action.get("label"), action.get("probability")] if actions else []
        yield [person.get("id"), *person["box"], person["box_score"], *values, *degrees, *done]
