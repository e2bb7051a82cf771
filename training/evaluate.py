"""Accuracy of a network during training: measures the same as `pose-onnx eval`, on the torch network."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from torch import nn

from pose_onnx import ModelCard, load_image
from pose_onnx.evaluation import BOX_FLOOR, Dataset, box_metrics, box_results, keypoint_metrics
from pose_onnx.formats import coco_results
from training.predict import find_people, find_poses

ANNOTATIONS: Final = "person_keypoints_dev.json"
IMAGES: Final = "images"


class Benchmark:
    """The photos of an annotation file, which are read again at every evaluation.

    Args:
        folder: Holds `person_keypoints_dev.json` and the folder `images`.
        card: Card of the model that is measured.
        limit: Maximum number of photos; the first ones are taken.
    """

    def __init__(self, folder: Path, card: ModelCard, limit: int | None = None) -> None:
        self._data = Dataset(folder / ANNOTATIONS, folder / IMAGES, limit)
        self._card = card

    def keypoint_ap(self, network: nn.Module) -> float:
        """COCO keypoint AP in percent: annotated boxes, one pass."""
        people = []
        for image_id in self._data.image_ids:
            boxes = self._data.truth_boxes(image_id)
            if len(boxes):
                poses = find_poses(network, load_image(self._data.path(image_id)), boxes, self._card)
                people += coco_results(poses, image_id)
        return keypoint_metrics(self._data, people, self._data.image_ids)[0]["AP"]

    def person_map(self, network: nn.Module) -> float:
        """COCO box mAP of people in percent."""
        found = []
        for image_id in self._data.image_ids:
            image = load_image(self._data.path(image_id))
            people = find_people(network, image, self._card, BOX_FLOOR)
            found += box_results(image_id, np.asarray(people.boxes), people.scores)
        return box_metrics(self._data, found, self._data.image_ids)[0]["AP"]
