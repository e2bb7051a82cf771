"""Sources of person boxes: the annotations, a file, or a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import numpy as np

from pose_onnx.core.arrays import F32, Image
from pose_onnx.detector import Detector
from pose_onnx.errors import InputError
from pose_onnx.evaluation._dataset import Dataset, read_json, xywh_to_xyxy
from pose_onnx.evaluation._entries import Entry, box_trouble, is_id
from pose_onnx.formats import PERSON_CATEGORY

BOX_FLOOR: Final = 0.025
"""Boxes with a lower score are ignored: the threshold in PicoDet's own graph (ppdet, pico_head.py)."""


class BoxSource(Protocol):
    """Returns the boxes of one picture."""

    def __call__(self, image_id: int, pixels_bgr: Image) -> tuple[F32, F32]:
        """Return (N, 4) xyxy boxes, image pixels, and their (N,) scores."""


class TruthBoxes:
    """The annotated boxes of people with keypoints, each with score 1."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __call__(self, image_id: int, pixels_bgr: Image) -> tuple[F32, F32]:
        """Return the boxes of one picture."""
        del pixels_bgr
        boxes = self._dataset.truth_boxes(image_id)
        return boxes, np.ones(len(boxes), np.float32)


class FileBoxes:
    """Boxes from a COCO detection result file: a list of image_id, category_id, bbox (xywh) and score.

    Args:
        path: The file.

    Attributes:
        left_out: One sentence for each entry that belongs to no picture.

    Raises:
        InputError: The file is not such a list.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of_image: dict[int, list[tuple[int, Entry]]] = {}
        self.left_out: list[str] = []
        entries = read_json(path)
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            if not isinstance(entry, dict) or not is_id(entry.get("image_id")):
                self.left_out.append(f"entry {number} of {str(path)!r} belongs to no picture")
            elif entry.get("category_id") == PERSON_CATEGORY:
                self._of_image.setdefault(entry["image_id"], []).append((number, entry))
        if self.left_out and not self._of_image:
            raise InputError(
                f"{str(path)!r} is not a COCO detection file; give a list of objects with image_id, "
                "category_id, bbox and score"
            )

    def __call__(self, image_id: int, pixels_bgr: Image) -> tuple[F32, F32]:
        """Return the boxes of one picture.

        Raises:
            InputError: One of them is damaged.
        """
        del pixels_bgr
        found = self._of_image.get(image_id, [])
        for number, entry in found:
            if trouble := box_trouble(entry):
                raise InputError(f"entry {number} of {str(self._path)!r}, of picture {image_id}, {trouble}")
        boxes = xywh_to_xyxy([entry["bbox"] for _, entry in found])
        return boxes, np.array([entry["score"] for _, entry in found], np.float32)


class DetectedBoxes:
    """Boxes from a detector.

    Args:
        detector: The detector. Its threshold should be `BOX_FLOOR`, because box AP needs boxes of every
            score.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, image_id: int, pixels_bgr: Image) -> tuple[F32, F32]:
        """Return the boxes of one picture."""
        del image_id
        found = self._detector(pixels_bgr)
        return found.boxes, found.scores
