"""A COCO annotation file and the folder of its pictures."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from pose_onnx.core.arrays import BOX, F32
from pose_onnx.errors import DependencyError, InputError


class Dataset:
    """COCO person keypoint annotations.

    Args:
        annotations: The annotation file (`person_keypoints_*.json`).
        images: The folder that its file names are relative to.
        limit: Take the first so many pictures only.

    Attributes:
        coco: The file as `pycocotools.coco.COCO`.
        image_ids: The pictures, in the order of the file.

    Raises:
        DependencyError: The `eval` extra is not installed.
        InputError: No such folder, or no COCO annotations.
    """

    def __init__(self, annotations: Path, images: Path, limit: int | None = None) -> None:
        try:
            from pycocotools.coco import COCO  # noqa: PLC0415 (an extra)
        except ImportError as error:
            raise DependencyError(
                f"evaluation needs pycocotools ({error}); run: pip install 'pose-onnx[eval]'"
            ) from error
        if not images.is_dir():
            raise InputError(f"{str(images)!r} is no folder; give the one with the annotated pictures")
        data = read_json(annotations)
        if not isinstance(data, dict) or not {"images", "annotations", "categories"} <= data.keys():
            raise InputError(
                f"{str(annotations)!r} is no COCO annotation file: it lacks images, annotations or categories"
            )
        self.coco: Any = COCO()
        self.coco.dataset = data
        with quiet():
            self.coco.createIndex()
        self.images = images
        self.image_ids: list[int] = [item["id"] for item in data["images"]][:limit]

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


def xywh_to_xyxy(boxes: list[list[float]]) -> F32:
    """Turn COCO's x, y, width, height into (N, 4) corners."""
    array = np.array(boxes, np.float32).reshape(-1, BOX)
    return np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: It cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as JSON ({error}); give a COCO JSON file") from error


@contextlib.contextmanager
def quiet() -> Any:
    """Keep pycocotools from printing."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
