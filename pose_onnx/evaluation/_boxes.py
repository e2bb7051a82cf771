"""Where the people are said to be: the annotations, a file, or a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import numpy as np

from pose_onnx.core.arrays import F32, Image
from pose_onnx.detector import Detector
from pose_onnx.errors import InputError
from pose_onnx.evaluation._dataset import Dataset, read_json, xywh_to_xyxy
from pose_onnx.formats import PERSON_CATEGORY

BOX_FLOOR: Final = 0.025
"""Boxes below this are not looked at: the threshold in PicoDet's own graph (ppdet, pico_head.py)."""


class BoxSource(Protocol):
    """Gives the boxes of one picture."""

    def __call__(self, image_id: int, pixels_bgr: Image) -> tuple[F32, F32]:
        """Return (N, 4) xyxy boxes, image pixels, and their (N,) scores."""


class TruthBoxes:
    """The annotated boxes of people with keypoints, score 1 each."""

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

    Raises:
        InputError: Not such a file.
    """

    def __init__(self, path: Path) -> None:
        self._of_image: dict[int, list[tuple[list[float], float]]] = {}
        try:
            for item in read_json(path):
                if item["category_id"] == PERSON_CATEGORY:
                    entry = (item["bbox"], float(item["score"]))
                    self._of_image.setdefault(item["image_id"], []).append(entry)
        except (TypeError, KeyError) as error:
            raise InputError(
                f"{str(path)!r} is no COCO detection file ({error!r}); it must be a list of objects with"
                " image_id, category_id, bbox and score"
            ) from error

    def __call__(self, image_id: int, pixels_bgr: Image) -> tuple[F32, F32]:
        """Return the boxes of one picture."""
        del pixels_bgr
        found = self._of_image.get(image_id, [])
        return xywh_to_xyxy([box for box, _ in found]), np.array([score for _, score in found], np.float32)


class DetectedBoxes:
    """What a detector finds.

    Args:
        detector: Best with the threshold `BOX_FLOOR`: box AP is measured over boxes of every score.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, image_id: int, pixels_bgr: Image) -> tuple[F32, F32]:
        """Return the boxes of one picture."""
        del image_id
        found = self._detector(pixels_bgr)
        return found.boxes, found.scores
