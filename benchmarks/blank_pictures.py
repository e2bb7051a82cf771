"""How to tell the box that a detector finds in a picture of one colour from the boxes of people.

    python -m benchmarks.blank_pictures --annotations JSON --images DIR [--detector FILE] [--pose FILE]

Examines the spread of colours in each box (`pose_onnx.core.spread`) and the best joint in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from pose_onnx import PRESETS, Poses, TopDownEstimator, load_image
from pose_onnx.core.boxes import box_iou
from pose_onnx.core.spread import color_spread
from pose_onnx.evaluation import Dataset

MATCH: Final = 0.5
BRIGHTNESS: Final = (1.0, 0.2, 0.1, 0.05)
COLORS: Final = tuple(product((0, 128, 255), repeat=3))
SIZES: Final = ((1, 1), (64, 64), (480, 640), (1080, 1920), (100, 1000))
NOISE: Final = (1, 2, 4, 8, 16, 32)  # grey levels, as from a covered camera
RAMPS: Final = (4, 16, 64, 255)  # grey levels from top to bottom


def flat_pictures() -> Iterator[np.ndarray]:
    """Yield pictures of one colour."""
    for color, size in product(COLORS, SIZES):
        yield np.full((*size, 3), color, np.uint8)


def empty_pictures() -> Iterator[np.ndarray]:
    """Yield pictures of noise and of ramps."""
    rng = np.random.default_rng(0)
    for level, sigma in product((0, 128), NOISE):
        yield rng.normal(level, sigma, (480, 640, 3)).clip(0, 255).astype(np.uint8)
    for end in RAMPS:
        yield np.linspace(0, end, 480)[:, None, None].repeat(640, 1).repeat(3, 2).astype(np.uint8)


def best_joints(poses: Poses) -> np.ndarray:
    """Return each person's best joint."""
    best: np.ndarray = poses.scores.max(axis=1)
    return best


def is_annotated(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Say which boxes belong to annotated people."""
    overlaps: np.ndarray = box_iou(boxes, truth.astype(np.float32)).max(axis=1, initial=0)
    return overlaps >= MATCH


def measure_blanks(estimator: TopDownEstimator) -> float:
    """Print what is found in empty pictures; return the best joint in those of one colour."""
    worst = 0.0
    for name, pictures in (("one colour", list(flat_pictures())), ("noise, ramps", list(empty_pictures()))):
        detected = [estimator.detector(picture) for picture in pictures]
        found = [estimator(picture, each.boxes) for picture, each in zip(pictures, detected, strict=True)]
        scores = np.concatenate([each.scores for each in detected])
        joints = np.concatenate([best_joints(poses) for poses in found])
        kept = sum(len(estimator(picture)) > 0 for picture in pictures)
        seen = sum(map(len, found))
        print(f"{name}: the detector sees somebody in {seen} of {len(pictures)}, the pipeline in {kept}")
        print(f"  boxes {scores.min():.2f} to {scores.max():.2f}, best joints up to {joints.max():.2f}")
        worst = worst or float(joints.max())
    return worst


def main() -> None:
    """Print a line for each question."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--detector")
    parser.add_argument("--pose")
    args = parser.parse_args()
    dataset = Dataset(args.annotations, args.images)
    least = PRESETS["accurate"].least_spread
    with TopDownEstimator(args.detector, args.pose, threads=1) as estimator:
        worst = measure_blanks(estimator)
        annotated, joints = [], {True: [], False: []}
        spreads: dict[float, list[float]] = {share: [] for share in BRIGHTNESS}
        for image_id in dataset.image_ids:
            photo, truth = load_image(dataset.path(image_id)), dataset.person_boxes(image_id, crowd=False)
            annotated += color_spread(photo, truth.astype(np.float32)).tolist()
            for share in BRIGHTNESS:
                dark = (photo * share).astype(np.uint8)
                boxes = estimator.detector(dark).boxes
                spreads[share] += color_spread(dark, boxes[is_annotated(boxes, truth)]).tolist()
            poses = estimator(photo)
            of_people = is_annotated(poses.boxes, truth)
            for index, best in enumerate(best_joints(poses).tolist()):
                joints[bool(of_people[index])].append(best)
    print(f"{len(annotated)} annotated people: spread {min(annotated):.1f} or more; the limit is {least}")
    for share, values in spreads.items():
        print(f"found at {share:.0%} of the light: {len(values)} of them, spread {min(values):.1f} or more")
    for kind, best in joints.items():
        low = sum(value <= worst for value in best)
        print(
            f"{'people' if kind else 'others'} found without a joint above {worst:.2f}: {low} of {len(best)}"
        )


if __name__ == "__main__":
    main()
