"""A COCO annotation file and the folder of its pictures."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pose_onnx.core.arrays import BOX, F32
from pose_onnx.errors import DependencyError, InputError
from pose_onnx.evaluation._entries import Entry, annotation_trouble, is_id, joints_of, picture_trouble
from pose_onnx.formats import PERSON_CATEGORY
from pose_onnx.runtimes._checks import check_count


class Dataset:
    """COCO person keypoint annotations.

    An unusable entry does not end the evaluation: a damaged annotation is an error of its picture, and
    entries that belong to no picture are left out and listed.

    Args:
        annotations: The annotation file (`person_keypoints_*.json`).
        images: The folder that its file names are relative to.
        limit: Only use this many pictures, the first ones.

    Attributes:
        coco: The usable entries as `pycocotools.coco.COCO`.
        image_ids: The pictures, in the order of the file.
        left_out: One sentence for each entry that belongs to no picture of the file.

    Raises:
        DependencyError: The `eval` extra is not installed.
        InputError: The folder does not exist, the file has no COCO annotations, or the limit is below 1.
    """

    def __init__(self, annotations: Path, images: Path, limit: int | None = None) -> None:
        try:
            from pycocotools.coco import COCO  # noqa: PLC0415 (an extra)
        except ImportError as error:
            raise DependencyError(
                f"evaluation needs pycocotools ({error}); run: pip install 'pose-onnx[eval]'"
            ) from error
        limit = None if limit is None else check_count(limit, "limit")
        if not images.is_dir():
            raise InputError(f"{str(images)!r} is not a folder; give the one with the annotated pictures")
        data = read_json(annotations)
        if not _is_coco(data):
            raise InputError(
                f"{str(annotations)!r} is not a COCO annotation file; give one with lists of images, "
                "annotations and categories"
            )
        self.images = images
        self.left_out: list[str] = []
        self._damaged: dict[int, str] = {}
        pictures = self._usable_pictures(data["images"])
        people = self._usable_annotations(data["annotations"], {item["id"] for item in pictures})
        self.coco: Any = COCO()
        categories = [item for item in data["categories"] if isinstance(item, dict) and is_id(item.get("id"))]
        self.coco.dataset = {"images": pictures, "annotations": people, "categories": categories}
        with quiet():
            self.coco.createIndex()
        self.image_ids: list[int] = [item["id"] for item in pictures][:limit]

    def check(self, image_id: int, joints: int) -> None:
        """Refuse a picture whose annotations cannot be evaluated.

        Raises:
            InputError: An annotation is damaged, or has another number of joints than the model.
        """
        if image_id in self._damaged:
            raise InputError(self._damaged[image_id])
        for item in self.coco.imgToAnns[image_id]:
            if item["category_id"] == PERSON_CATEGORY and (found := joints_of(item)) != joints:
                raise InputError(
                    f"a person in picture {image_id} has {found} joints, but the model has {joints}; give "
                    "annotations of the model's joints"
                )

    def path(self, image_id: int) -> Path:
        """Return the picture's file."""
        return self.images / str(self.coco.imgs[image_id]["file_name"])

    def truth_boxes(self, image_id: int) -> F32:
        """Return the (N, 4) xyxy boxes of the annotated people with keypoints, image pixels."""
        people = self.coco.imgToAnns[image_id]
        boxes = [item["bbox"] for item in people if item.get("num_keypoints") and not item.get("iscrowd")]
        return xywh_to_xyxy(boxes)

    def person_boxes(self, image_id: int, *, crowd: bool) -> F32:
        """Return the (N, 4) xyxy boxes of all annotated people, or of the crowds, image pixels."""
        people = self.coco.imgToAnns[image_id]
        return xywh_to_xyxy([item["bbox"] for item in people if bool(item.get("iscrowd")) == crowd])

    def _usable_pictures(self, entries: list[Any]) -> list[Entry]:
        usable: dict[int, Entry] = {}
        for number, entry in enumerate(entries):
            trouble = picture_trouble(entry)
            if trouble is None and entry["id"] in usable:
                trouble = f"has the id {entry['id']} of another picture"
            if trouble is None:
                usable[entry["id"]] = entry
            else:
                self.left_out.append(f"images[{number}] {trouble}")
        return list(usable.values())

    def _usable_annotations(self, entries: list[Any], pictures: set[int]) -> list[Entry]:
        usable: list[Entry] = []
        for number, entry in enumerate(entries):
            image_id = entry.get("image_id") if isinstance(entry, dict) else None
            trouble = annotation_trouble(entry)
            if not is_id(image_id) or image_id not in pictures:
                self.left_out.append(f"annotations[{number}] {trouble or 'belongs to no picture'}")
            elif trouble is not None:
                self._damaged[image_id] = f"annotations[{number}], of picture {image_id}, {trouble}"
            else:
                # pycocotools takes an id of 0 for "none", and replaces equal ids by the last one.
                usable.append({"iscrowd": 0, **entry, "id": len(usable) + 1})
        return usable


def _is_coco(data: Any) -> bool:
    lists = ("images", "annotations", "categories")
    return isinstance(data, dict) and all(isinstance(data.get(name), list) for name in lists)


def xywh_to_xyxy(boxes: list[list[float]]) -> F32:
    """Convert COCO's x, y, width, height to (N, 4) corners."""
    array = np.array(boxes, np.float32).reshape(-1, BOX)
    return np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: It cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:  # RecursionError: lists in lists in lists ...
        raise InputError(f"{str(path)!r} cannot be read as JSON ({error}); give a COCO JSON file") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Stop pycocotools from printing."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
