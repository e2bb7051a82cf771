"""COCO's two kinds of files: results, which an evaluation compares with annotations, and annotations.

Formats: https://cocodataset.org/#format-data and https://cocodataset.org/#format-results.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Final

import numpy as np

from pose_onnx.cards.lookup import card_names, load_card
from pose_onnx.core.arrays import F32, Pairs
from pose_onnx.errors import InputError
from pose_onnx.files import atomic_path
from pose_onnx.formats._frames import FrameRecord
from pose_onnx.poses import Poses

PERSON_CATEGORY: Final = 1
_DECIMALS: Final = 3
_VISIBLE: Final = 2  # labelled and visible
_ABSENT: Final = 0  # not labelled


def coco_results(poses: Poses, image_id: int, scores: F32 | None = None) -> list[dict[str, Any]]:
    """Return COCO's keypoint results for one image; `keypoints` has x, y and score of each joint.

    A number that is not finite becomes 0, COCO's value for absent joints.

    Args:
        poses: The people.
        image_id: Id of the image.
        scores: (N,), the `score` of each person; the instance scores when `None`.
    """
    scores = poses.instance_scores() if scores is None else scores
    return [
        {
            "image_id": image_id,
            "category_id": PERSON_CATEGORY,
            "keypoints": _triples(points, marks),
            "score": _finite(score),
        }
        for points, marks, score in zip(poses.keypoints, poses.scores, scores, strict=True)
    ]


def coco_annotations(poses: Poses, image_id: int, first_id: int) -> list[dict[str, Any]]:
    """Return the people of one image as COCO annotations, for example as a start for annotation tools.

    Joints with a score above 0.2 are visible (v = 2), others are not labelled (0, 0, 0). `score` and
    `track_id` (if people are tracked) are additions to COCO's fields. Numbers that are not finite become 0.

    Args:
        poses: The people.
        image_id: Id of the image.
        first_id: Id of the first annotation; the others follow.
    """
    visible = poses.visible() & np.isfinite(poses.keypoints).all(axis=2)
    marks = np.where(visible, _VISIBLE, _ABSENT).astype(np.float32)
    points = np.where(visible[:, :, None], poses.keypoints, np.float32(0))
    annotations: list[dict[str, Any]] = []
    for index, box in enumerate(_xywh(poses.boxes)):
        annotation = {
            "id": first_id + index,
            "image_id": image_id,
            "category_id": PERSON_CATEGORY,
            "keypoints": _triples(points[index], marks[index]),
            "num_keypoints": int(visible[index].sum()),
            "bbox": box,
            "area": round(box[2] * box[3], _DECIMALS),
            "iscrowd": 0,
            "score": _finite(poses.box_scores[index]),
        }
        track = {} if poses.ids is None else {"track_id": int(poses.ids[index])}
        annotations.append(annotation | track)
    return annotations


def write_coco_results(path: str | os.PathLike[str], people: Iterable[tuple[int, Poses]]) -> None:
    """Write COCO keypoint results; the file is written completely or not at all.

    Args:
        path: The file; one that is there is replaced.
        people: Image ids with their people. For a video, use the indices of frames:
            `((frame.index, frame.poses) for frame in read_frames(...))`.

    Raises:
        OutputError: The file cannot be written.
    """
    results = (result for image_id, poses in people for result in coco_results(poses, image_id))
    with atomic_path(path) as part, part.open("x", encoding="utf-8") as file:
        _write_list(file.write, results)


def write_coco_dataset(
    path: str | os.PathLike[str],
    frames: Callable[[], Iterable[FrameRecord]],
    keypoint_names: tuple[str, ...],
    file_name: str = "{index:06d}.jpg",
) -> None:
    """Write the frames of a video as COCO annotations; the file is written completely or not at all.

    Args:
        path: The file; one that is there is replaced.
        frames: Returns the frames each time it is called: `lambda: read_frames(...)`. They are read twice, so
            that memory does not grow with the video.
        keypoint_names: As `read_header` returns them.
        file_name: File name of a frame's picture, as a format string with `index`.

    Raises:
        InputError: `file_name` is not such a format string.
        OutputError: The file cannot be written.
    """
    _check_file_name(file_name)
    category = {
        "id": PERSON_CATEGORY,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(keypoint_names),
        # COCO counts keypoints from 1.
        "skeleton": [[start + 1, end + 1] for start, end in _skeleton_of(keypoint_names)],
    }
    with atomic_path(path) as part, part.open("x", encoding="utf-8") as file:
        file.write('{"categories": ')
        _write_list(file.write, [category])
        file.write(', "images": ')
        _write_list(file.write, (_image(frame, file_name) for frame in frames()))
        file.write(', "annotations": ')
        _write_list(file.write, _all_annotations(frames()))
        file.write("}\n")


@cache
def _skeleton_of(names: tuple[str, ...]) -> Pairs:
    """Return the skeleton of the first model card with these keypoints; nothing if there is none."""
    cards = (load_card(name) for name in card_names())
    return next((card.skeleton for card in cards if card.keypoints == names), ())


def _check_file_name(file_name: str) -> None:
    try:
        file_name.format(index=0)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"file_name={file_name!r} was given; give a format string with `index` alone, such as "
            "'{index:06d}.jpg'"
        ) from error


def _image(frame: FrameRecord, file_name: str) -> dict[str, Any]:
    height, width = frame.size
    name = file_name.format(index=frame.index)
    return {"id": frame.index, "file_name": name, "width": width, "height": height, "time": frame.time}


def _all_annotations(frames: Iterable[FrameRecord]) -> Iterator[dict[str, Any]]:
    first_id = 1
    for frame in frames:
        yield from coco_annotations(frame.poses, frame.index, first_id)
        first_id += len(frame.poses)


def _write_list(write: Callable[[str], object], items: Iterable[dict[str, Any]]) -> None:
    """Write a JSON list item by item, one per line."""
    separator = "[\n"
    for item in items:
        write(separator + json.dumps(item, allow_nan=False))
        separator = ",\n"
    write("[]" if separator == "[\n" else "\n]")


def _finite(number: float) -> float:
    return float(number) if math.isfinite(number) else 0.0


def _triples(points: F32, marks: F32) -> list[float]:
    values = np.concatenate([points, marks[:, None]], axis=1).astype(np.float64)
    triples: list[float] = np.nan_to_num(values, nan=0, posinf=0, neginf=0).round(_DECIMALS).ravel().tolist()
    return triples


def _xywh(boxes: F32) -> list[list[float]]:
    corners = np.nan_to_num(boxes.astype(np.float64), nan=0, posinf=0, neginf=0)
    boxes_xywh = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    rounded: list[list[float]] = boxes_xywh.round(_DECIMALS).tolist()
    return rounded
