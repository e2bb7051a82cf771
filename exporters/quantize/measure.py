"""Average precision of a model file on annotated pictures."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pose_onnx.cards.card import Task
from pose_onnx.core.oks import sigmas_of
from pose_onnx.detector import Detector
from pose_onnx.errors import InputError
from pose_onnx.evaluation import (
    BOX_FLOOR,
    Dataset,
    DetectedBoxes,
    TruthBoxes,
    box_metrics,
    box_results,
    keypoint_metrics,
    predict,
)
from pose_onnx.image_files import load_image
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.runtimes import backend_for

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dev:
    """Annotated pictures to measure on.

    Attributes:
        annotations: COCO person keypoint annotations.
        images: folder of their pictures.
    """

    annotations: Path
    images: Path

    def facts(self) -> dict[str, str | int]:
        """Describe it for a receipt."""
        digest = hashlib.sha256(self.annotations.read_bytes()).hexdigest()
        pictures = len(Dataset(self.annotations, self.images).image_ids)
        return {"annotations": self.annotations.name, "sha256": digest, "pictures": pictures}

    def measure(self, file: Path, task: Task) -> float:
        """Return the average precision of a model file in percent.

        Of keypoints with annotated boxes for a keypoint model, of people's boxes for a detector.

        Raises:
            InputError: a picture cannot be read.
        """
        ap = _MEASURES[task](file, Dataset(self.annotations, self.images))
        log.info("%s: AP %.2f", file.name, ap)
        return ap


def _keypoint_ap(file: Path, dataset: Dataset) -> float:
    with (
        KeypointModel(file, backend=backend_for(file)) as model,
        tempfile.TemporaryDirectory() as folder,
    ):
        results = list(predict(dataset, TruthBoxes(dataset), model, Path(folder), {}))
        if unread := [item["error"] for item in results if "error" in item]:
            raise InputError(unread[0])
        people = [person for item in results for person in item["people"]]
        return keypoint_metrics(dataset, people, dataset.image_ids, sigmas_of(model.card))[0]["AP"]


def _box_ap(file: Path, dataset: Dataset) -> float:
    with Detector(file, backend=backend_for(file), threshold=BOX_FLOOR) as detector:
        detector.select_people()
        find = DetectedBoxes(detector)
        found = []
        for image_id in dataset.image_ids:
            boxes, scores = find(image_id, load_image(dataset.path(image_id)))
            found += box_results(image_id, boxes, scores)
        return box_metrics(dataset, found, dataset.image_ids)[0]["AP"]


_MEASURES: Final[Mapping[Task, Callable[[Path, Dataset], float]]] = MappingProxyType(
    {"keypoints": _keypoint_ap, "detect": _box_ap}
)
