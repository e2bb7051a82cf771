"""Converts to and from Roboflow's supervision (annotators, zones, trackers). Needs the `supervision` extra.

| here | `supervision.KeyPoints` | `supervision.Detections` |
|---|---|---|
| `keypoints` | `xy` | `data["keypoints"]` |
| `scores` | `keypoint_confidence` | `data["keypoint_confidence"]` |
| `boxes` | `data["xyxy"]` | `xyxy` |
| `box_scores` | `detection_confidence` | `confidence` |
| `ids` | `data["tracker_id"]` | `tracker_id` |
| `visible()` | `visible` | |

All people are class 0. Arrays are copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pose_onnx.core.arrays import BOX, F32, POINT
from pose_onnx.detections import Detections as BoxDetections
from pose_onnx.errors import DependencyError, InputError
from pose_onnx.poses import Poses

if TYPE_CHECKING:
    from supervision import Detections, KeyPoints

_PERSON_CLASS: Final = 0


def to_key_points(poses: Poses) -> KeyPoints:
    """Return people as `supervision.KeyPoints`.

    Raises:
        DependencyError: supervision is not installed.
    """
    tracks = {} if poses.ids is None else {"tracker_id": poses.ids.copy()}
    key_points: KeyPoints = _supervision().KeyPoints(
        xy=poses.keypoints.copy(),
        class_id=np.full(len(poses), _PERSON_CLASS),
        keypoint_confidence=poses.scores.copy(),
        detection_confidence=poses.box_scores.copy(),
        visible=poses.visible(),
        data={"xyxy": poses.boxes.copy(), **tracks},
    )
    return key_points


def from_key_points(key_points: KeyPoints, names: Sequence[str]) -> Poses:
    """Return people from `supervision.KeyPoints`, of this package or of any model.

    Missing data is filled in: scores of 1, and boxes around the finite keypoints.

    Args:
        key_points: N people.
        names: Their K keypoints' names, which `KeyPoints` do not contain.

    Raises:
        InputError: The people have other than K keypoints.
    """
    joints = len(names)
    count = len(key_points.xy)
    keypoints = np.asarray(key_points.xy, np.float32)
    if count and keypoints.shape != (count, joints, POINT):
        raise InputError(
            f"the people have {keypoints.shape[1]} keypoints, but {joints} names were given; give one "
            "name per keypoint"
        )
    keypoints = keypoints.reshape(count, joints, POINT)
    boxes = key_points.data.get("xyxy")
    return Poses(
        keypoints=keypoints.copy(),
        scores=_or_ones(key_points.keypoint_confidence, (count, joints)),
        boxes=_around(keypoints) if boxes is None else _array(boxes, (count, BOX)),
        box_scores=_or_ones(key_points.detection_confidence, (count,)),
        names=tuple(names),
        ids=_ids(key_points.data.get("tracker_id")),
    )


def to_detections(poses: Poses) -> Detections:
    """Return people as `supervision.Detections`, which its trackers and zones take.

    The keypoints are kept in `data`, so that `from_detections` restores them after a tracker has assigned ids
    or a zone has filtered the people.

    Raises:
        DependencyError: supervision is not installed.
    """
    detections: Detections = _supervision().Detections(
        xyxy=poses.boxes.copy(),
        confidence=poses.box_scores.copy(),
        class_id=np.full(len(poses), _PERSON_CLASS),
        tracker_id=None if poses.ids is None else poses.ids.copy(),
        data={"keypoints": poses.keypoints.copy(), "keypoint_confidence": poses.scores.copy()},
    )
    return detections


def boxes_to_supervision(found: BoxDetections) -> Detections:
    """Return boxes as `supervision.Detections`, with names of classes in `data["class_name"]` where known.

    Raises:
        DependencyError: supervision is not installed.
    """
    names = {"class_name": np.array(found.classes)[found.labels]} if found.classes else {}
    detections: Detections = _supervision().Detections(
        xyxy=found.boxes.copy(), confidence=found.scores.copy(), class_id=found.labels.copy(), data=names
    )
    return detections


def from_detections(detections: Detections, names: Sequence[str]) -> Poses:
    """Return the people from the result of `to_detections`, which may have been changed since.

    Args:
        detections: N people with their keypoints in `data`.
        names: Their K keypoints' names.

    Raises:
        InputError: The detections contain no keypoints.
    """
    count, joints = len(detections), len(names)
    if count and not {"keypoints", "keypoint_confidence"} <= detections.data.keys():
        raise InputError("the detections contain no keypoints; make them with to_detections")
    data = detections.data if count else {"keypoints": (), "keypoint_confidence": ()}
    return Poses(
        keypoints=_array(data["keypoints"], (count, joints, POINT)),
        scores=_array(data["keypoint_confidence"], (count, joints)),
        boxes=_array(detections.xyxy, (count, BOX)),
        box_scores=_or_ones(detections.confidence, (count,)),
        names=tuple(names),
        ids=_ids(detections.tracker_id),
    )


def _supervision() -> Any:
    try:
        import supervision  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise DependencyError(
            f"this needs supervision ({error}); run: pip install 'pose-onnx[supervision]'"
        ) from error
    return supervision


def _or_ones(values: Any, shape: tuple[int, ...]) -> F32:
    return np.ones(shape, np.float32) if values is None else _array(values, shape)


def _array(values: Any, shape: tuple[int, ...]) -> F32:
    array: F32 = np.array(values, np.float32)
    return array if array.size else array.reshape(shape)


def _ids(values: Any) -> np.typing.NDArray[np.int64] | None:
    return None if values is None else np.array(values, np.int64)


def _around(keypoints: F32) -> F32:
    """Return (N, 4) xyxy boxes around the finite keypoints; zeros for people without any."""
    finite = np.isfinite(keypoints).all(axis=2, keepdims=True)
    low = np.where(finite, keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(finite, keypoints, -np.inf).max(axis=1, initial=-np.inf)
    boxes: F32 = np.concatenate([low, high], axis=1)
    return np.where(np.isfinite(boxes), boxes, np.float32(0))
