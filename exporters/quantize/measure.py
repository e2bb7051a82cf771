"""Average precision of a model file on annotated pictures."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.oks import sigmas_of
from pose_onnx.detector import Detector
from pose_onnx.errors import InputError
from pose_onnx.evaluation import (
    Dataset,
    DetectedBoxes,
    PeopleSource,
    box_metrics,
    box_results,
    keypoint_metrics,
    predict,
)
from pose_onnx.exporters.outputs import export_of
from pose_onnx.image_files import load_image

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dev:
    """Annotated pictures to measure on.

    Attributes:
        annotations: COCO person keypoint annotations.
        images: folder of the annotated pictures.
    """

    annotations: Path
    images: Path

    def facts(self) -> dict[str, str | int]:
        """Describe it for a receipt."""
        digest = hashlib.sha256(self.annotations.read_bytes()).hexdigest()
        pictures = len(Dataset(self.annotations, self.images).image_ids)
        return {"annotations": self.annotations.name, "sha256": digest, "pictures": pictures}

    def measure(self, file: Path, card: ModelCard) -> float:
        """Return the average precision of a model file in percent.

        For a keypoint model, that of keypoints in annotated boxes; for a detector, that of people's boxes.

        Raises:
            InputError: a picture cannot be read.
        """
        ap = export_of(card).measure(file, Dataset(self.annotations, self.images))
        log.info("%s: AP %.2f", file.name, ap)
        return ap


def keypoint_ap(people: PeopleSource, card: ModelCard, dataset: Dataset) -> float:
    """Return the average precision of the keypoints of the people that a source finds, percent."""
    with tempfile.TemporaryDirectory() as folder:
        results = list(predict(dataset, people, Path(folder), {}))
    if unread := [item["error"] for item in results if "error" in item]:
        raise InputError(unread[0])
    found = [person for item in results for person in item["people"]]
    return keypoint_metrics(dataset, found, dataset.image_ids, sigmas_of(card))[0]["AP"]


def box_ap(detector: Detector, dataset: Dataset) -> float:
    """Return the average precision of people's boxes, percent; the detector's threshold must be low."""
    find = DetectedBoxes(detector)
    found = []
    for image_id in dataset.image_ids:
        boxes, scores = find(image_id, load_image(dataset.path(image_id)))
        found += box_results(image_id, boxes, scores)
    return box_metrics(dataset, found, dataset.image_ids)[0]["AP"]
