"""Run a keypoint model over a data set, a line of results for each picture, resumable."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pose_onnx.core.arrays import F32
from pose_onnx.core.oks import sigmas_of, suppress_duplicates
from pose_onnx.errors import InputError
from pose_onnx.evaluation._boxes import BoxSource
from pose_onnx.evaluation._dataset import Dataset
from pose_onnx.formats import PERSON_CATEGORY, coco_results
from pose_onnx.image_files import load_image
from pose_onnx.keypoint_model import KeypointModel

LINES_NAME: Final = "pictures.jsonl"


def predict(
    dataset: Dataset,
    boxes: BoxSource,
    model: KeypointModel,
    out: Path,
    settings: dict[str, Any],
    *,
    threshold: float = 0.0,
    oks_nms: float | None = None,
) -> Iterator[dict[str, Any]]:
    """Evaluate picture after picture; those that an interrupted run left in `out` are not run again.

    Args:
        dataset: The pictures.
        boxes: Where the people are.
        model: The keypoint model.
        out: Folder of the results; `pictures.jsonl` in it grows by a line a picture.
        settings: Everything that moves a number: results of other settings are not mixed.
        threshold: Boxes with a score above this are people.
        oks_nms: Drop people that are more alike than this (object keypoint similarity).

    Yields:
        For each picture `image_id`, `people` (COCO keypoint results) and `boxes` (COCO box results), or
        `image_id` and `error` where it could not be read.

    Raises:
        InputError: `out` holds the results of other settings.
    """
    lines = out / LINES_NAME
    done = {item["image_id"]: item for item in _finished(lines, settings)}
    with lines.open("a", encoding="utf-8") as stream:
        if not done:
            stream.truncate(0)
            stream.write(json.dumps({"settings": settings}) + "\n")
        for image_id in dataset.image_ids:
            if image_id not in done:
                result = _one(dataset, boxes, model, image_id, threshold, oks_nms)
                stream.write(json.dumps(result) + "\n")
                stream.flush()
                yield result
            else:
                yield done[image_id]


def _finished(lines: Path, settings: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Return the pictures that an earlier run finished; the line that it died in is cut off."""
    if not lines.exists():
        return []
    content = lines.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        lines.write_bytes(whole)
    items: list[dict[str, Any]] = [json.loads(line) for line in whole.splitlines()]
    if items and items[0].get("settings") != json.loads(json.dumps(settings)):
        raise InputError(
            f"{str(lines.parent)!r} holds results of other settings; give another folder to --out"
        )
    return [item for item in items[1:] if "error" not in item]


def _one(
    dataset: Dataset,
    boxes: BoxSource,
    model: KeypointModel,
    image_id: int,
    threshold: float,
    oks_nms: float | None,
) -> dict[str, Any]:
    try:
        pixels = load_image(dataset.path(image_id))
    except InputError as error:
        return {"image_id": image_id, "error": str(error)}
    found, scores = boxes(image_id, pixels)
    people = scores > threshold
    poses = model(pixels, found[people], box_scores=scores[people])
    if oks_nms is not None:
        poses = poses[suppress_duplicates(poses, poses.instance_scores(), oks_nms, sigmas_of(model.card))]
    return {
        "image_id": image_id,
        "people": coco_results(poses, image_id),
        "boxes": box_results(image_id, found, scores),
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
