"""Runs a model on a data set and writes one line of results per picture; interrupted runs can be resumed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pose_onnx.core.arrays import F32
from pose_onnx.core.oks import suppress_duplicates
from pose_onnx.detector import check_threshold
from pose_onnx.errors import InputError
from pose_onnx.evaluation._dataset import Dataset
from pose_onnx.evaluation._entries import is_result
from pose_onnx.evaluation._people import PeopleSource
from pose_onnx.failures import failure_of
from pose_onnx.formats import PERSON_CATEGORY, coco_results
from pose_onnx.image_files import load_image

LINES_NAME: Final = "pictures.jsonl"


def predict(
    dataset: Dataset,
    people: PeopleSource,
    out: Path,
    settings: dict[str, Any],
    *,
    oks_nms: float | None = None,
) -> Iterator[dict[str, Any]]:
    """Evaluate one picture after the other; skip those that an interrupted run left in `out`.

    Args:
        dataset: The pictures.
        people: Finds the people in them.
        out: Folder of the results; its file `pictures.jsonl` grows by one line per picture.
        settings: Everything that affects the results: results with other settings are never mixed.
        oks_nms: Of two people with a higher object keypoint similarity, the worse is dropped.

    Yields:
        For each picture `image_id`, `people` (COCO keypoint results) and `boxes` (COCO box results), or
        `image_id` and `error` if it could not be evaluated.

    Raises:
        InputError: `out` has results with other settings, or `oks_nms` is not from 0 to 1.
    """
    if oks_nms is not None:
        check_threshold(oks_nms, "oks_nms")
    lines = out / LINES_NAME
    done = {item["image_id"]: item for item in _finished(lines, settings, len(people.names))}
    with lines.open("a", encoding="utf-8") as stream:
        if not done:
            stream.truncate(0)
            stream.write(json.dumps({"settings": settings}) + "\n")
        for image_id in dataset.image_ids:
            if image_id not in done:
                result = _one(dataset, people, image_id, oks_nms)
                stream.write(json.dumps(result) + "\n")
                stream.flush()
                yield result
            else:
                yield done[image_id]


def _finished(lines: Path, settings: dict[str, Any], joints: int) -> Iterable[dict[str, Any]]:
    """Return the pictures that an earlier run finished; an incomplete last line is removed.

    A picture with a damaged line or an error is evaluated again.
    """
    if not lines.exists():
        return []
    content = lines.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        lines.write_bytes(whole)
    header, *rest = map(_parsed, whole.splitlines() or [b""])
    if whole:
        _check_settings(header, json.loads(json.dumps(settings)), lines.parent)
    return [line for line in rest if is_result(line, joints)]


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _check_settings(header: Any, settings: dict[str, Any], out: Path) -> None:
    found = header.get("settings") if isinstance(header, dict) else None
    if found == settings:
        return
    before = found if isinstance(found, dict) else {}
    others = sorted(key for key in before.keys() | settings if before.get(key) != settings.get(key))
    raise InputError(
        f"{str(out)!r} has results with other settings ({', '.join(others)}); give another folder with --out"
    )


def _one(
    dataset: Dataset,
    people: PeopleSource,
    image_id: int,
    oks_nms: float | None,
) -> dict[str, Any]:
    try:
        return _evaluated(dataset, people, image_id, oks_nms)
    except Exception as error:  # noqa: BLE001 (whatever is wrong with one, the others go on)
        return {"image_id": image_id, "error": str(failure_of(str(dataset.path(image_id)), error))}


def _evaluated(
    dataset: Dataset,
    people: PeopleSource,
    image_id: int,
    oks_nms: float | None,
) -> dict[str, Any]:
    dataset.check(image_id, len(people.names))
    found = people(image_id, load_image(dataset.path(image_id)))
    poses, scores = found.poses, found.scores
    if oks_nms is not None:
        kept = suppress_duplicates(poses, scores, oks_nms, people.sigmas)
        poses, scores = poses[kept], scores[kept]
    return {
        "image_id": image_id,
        "people": coco_results(poses, image_id, scores),
        "boxes": box_results(image_id, found.boxes, found.box_scores),
    }


def box_results(image_id: int, boxes: F32, scores: F32) -> list[dict[str, Any]]:
    """Return COCO's box results, xywh."""
    return [
        {
            "image_id": image_id,
            "category_id": PERSON_CATEGORY,
            "bbox": [round(float(value), 3) for value in (x1, y1, x2 - x1, y2 - y1)],
            "score": float(score),
        }
        for (x1, y1, x2, y2), score in zip(boxes, scores, strict=True)
    ]
