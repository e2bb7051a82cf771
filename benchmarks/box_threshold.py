"""Choose the default box threshold: precision, recall and F1 of a detector's boxes at IoU 0.5.

    python benchmarks/box_threshold.py --annotations JSON --images DIR --detector FILE.onnx

COCO AP rewards every additional box, however unlikely, so it says nothing about a threshold. Users notice
missed people and false detections, so the threshold is chosen where F1 has its plateau.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np

from pose_onnx import Detector, load_image
from pose_onnx.core.boxes import box_iou
from pose_onnx.evaluation import Dataset

THRESHOLDS: Final = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
MATCH: Final = 0.5


def count_matches(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> tuple[int, int]:
    """Return the numbers of true and false boxes; boxes inside a crowd count as neither."""
    overlaps = box_iou(found, truth)
    true = false = 0
    for index in range(len(found)):
        best = int(overlaps[index].argmax()) if len(truth) else 0
        if len(truth) and overlaps[index, best] >= MATCH:
            true += 1
            overlaps[:, best] = 0
        elif not len(crowd) or _inside(found[index], crowd).max() < MATCH:
            false += 1
    return true, false


def _inside(box: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return the share of a box that lies in each area."""
    low, high = np.maximum(box[:2], areas[:, :2]), np.minimum(box[2:], areas[:, 2:])
    shares: np.ndarray = np.prod(np.maximum(high - low, 0), axis=1) / max(np.prod(box[2:] - box[:2]), 1)
    return shares


def main() -> None:
    """Print a line for each threshold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--detector", type=Path, required=True)
    args = parser.parse_args()
    dataset = Dataset(args.annotations, args.images)
    detector = Detector(args.detector, threshold=THRESHOLDS[0])
    counts = np.zeros((len(THRESHOLDS), 2), int)
    people = 0
    for image_id in dataset.image_ids:
        found = detector(load_image(dataset.path(image_id)))
        truth, crowd = (dataset.person_boxes(image_id, crowd=crowd) for crowd in (False, True))
        people += len(truth)
        for row, threshold in enumerate(THRESHOLDS):
            counts[row] += count_matches(found.boxes[found.scores > threshold], truth, crowd)
    for threshold, (true, false) in zip(THRESHOLDS, counts, strict=True):
        precision, recall = true / max(true + false, 1), true / people
        harmonic = 2 * precision * recall / max(precision + recall, 1e-9)
        print(f"{threshold:.2f}  precision {precision:.3f}  recall {recall:.3f}  F1 {harmonic:.3f}")


if __name__ == "__main__":
    main()
