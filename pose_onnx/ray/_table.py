"""The table of results: one row for each picture, and for each frame of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np

from pose_onnx.addresses import redacted_in
from pose_onnx.core.arrays import BOX, F32, POINT
from pose_onnx.failures import failure_of
from pose_onnx.poses import Poses
from pose_onnx.ray._engine import pa

PERSON: Final = pa.struct(
    [
        ("id", pa.int64()),
        ("box", pa.list_(pa.float32())),
        ("box_score", pa.float32()),
        ("keypoints", pa.list_(pa.list_(pa.float32()))),
        ("scores", pa.list_(pa.float32())),
    ]
)
SCHEMA: Final = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        ("frame", pa.int64()),
        ("time", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("people", pa.list_(PERSON)),
        ("keypoint_names", pa.list_(pa.string())),
        ("detector", pa.string()),
        ("pose", pa.string()),
        ("error", pa.string()),
        ("error_kind", pa.string()),
    ]
)
"""The columns; docs/ray.md says what each holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One picture or frame, or what went wrong with an item.

    Attributes:
        path: Address of the picture or video.
        poses: The people in it; `None` if it failed.
        size: Height and width, pixels; `None` if it failed.
        frame: Number of the frame in its video, from 0; `None` for a picture.
        time: Seconds since the start of its video; `None` for a picture.
        error: What went wrong, one sentence.
        error_kind: Name of the exception.
    """

    path: str
    poses: Poses | None = None
    size: tuple[int, int] | None = None
    frame: int | None = None
    time: float | None = None
    error: str | None = None
    error_kind: str | None = None


def failed(path: str, error: Exception) -> Row:
    """Return the row of a failed item, for any exception."""
    # A file name that is not UTF-8 may be in the message; Arrow's strings are UTF-8.
    text = redacted_in(str(failure_of(path, error)), path).encode(errors="backslashreplace").decode()
    return Row(path, error=text, error_kind=type(error).__name__)


def table_of(rows: Sequence[Row], detector: str | None = None, pose: str | None = None) -> Any:
    """Return rows as an Arrow table.

    Args:
        rows: The results, all with the same joints.
        detector: Name of the detector, for the rows that did not fail.
        pose: Name of the keypoint model, likewise.
    """
    fine = [row.poses is not None for row in rows]
    columns = {
        "path": [row.path for row in rows],
        "frame": [row.frame for row in rows],
        "time": [row.time for row in rows],
        "width": [row.size and row.size[1] for row in rows],
        "height": [row.size and row.size[0] for row in rows],
        "people": _people([row.poses for row in rows]),
        "keypoint_names": [None if row.poses is None else row.poses.names for row in rows],
        "detector": [detector if ok else None for ok in fine],
        "pose": [pose if ok else None for ok in fine],
        "error": [row.error for row in rows],
        "error_kind": [row.error_kind for row in rows],
    }
    return pa.table(columns, schema=SCHEMA)


def _people(groups: Sequence[Poses | None]) -> Any:
    """Return an array of lists of people, null for a missing `Poses`."""
    found = [poses for poses in groups if poses is not None]
    count = sum(len(poses) for poses in found)
    joints = len(found[0].names) if found else 0
    ids = chain.from_iterable([None] * len(poses) if poses.ids is None else poses.ids for poses in found)
    points = _lists(_joined([poses.keypoints for poses in found]), count * joints, POINT)
    people = pa.StructArray.from_arrays(
        [
            pa.array(ids, pa.int64()),
            _lists(_joined([poses.boxes for poses in found]), count, BOX),
            _joined([poses.box_scores for poses in found]),
            _lists(points, count, joints),
            _lists(_joined([poses.scores for poses in found]), count, joints),
        ],
        fields=list(PERSON),
    )
    ends = np.cumsum([0, *(0 if poses is None else len(poses) for poses in groups)], dtype=np.int32)
    missing = pa.array([poses is None for poses in groups], pa.bool_())
    return pa.ListArray.from_arrays(ends, people, mask=missing)


def _joined(arrays: Sequence[F32]) -> Any:
    """Return the numbers of all arrays in one flat Arrow array."""
    return pa.array(np.concatenate([np.zeros(0, np.float32), *(array.ravel() for array in arrays)]))


def _lists(values: Any, count: int, length: int) -> Any:
    """Return `count` lists of equal length."""
    return pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * np.int32(length), values)
