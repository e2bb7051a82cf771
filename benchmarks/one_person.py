"""Photos of one person: the built-in pair, and MediaPipe's bundled model side by side.

    python -m venv MP && MP/bin/pip install mediapipe==0.10.21
    python -m benchmarks.one_person --annotations JSON --images DIR --mediapipe MP/bin/python
        [--pair DETECTOR POSE]...

MediaPipe needs an older NumPy, so it runs in an environment of its own (`benchmarks/mediapipe_people.py`);
this one needs `pose-onnx[eval]`. The photos are those with exactly one annotated person, because MediaPipe's
model finds one. Each pipeline gets the whole photo and finds the person itself, with its default thresholds.
AP is COCO's, of keypoints. The time is that of the processor in all threads, reading the file included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from pose_onnx import PoseEstimator, load_image
from pose_onnx.evaluation import Dataset, bootstrap, keypoint_metrics
from pose_onnx.formats import coco_results
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE

MEDIAPIPE: Final = Path(__file__).with_name("mediapipe_people.py")
LANDMARKS: Final = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Which of MediaPipe's landmarks are COCO's joints, in COCO's order."""


def main() -> None:
    """Print a line for each pipeline."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--mediapipe", type=Path, metavar="PYTHON", help="of the environment that has it")
    parser.add_argument("--pair", nargs=2, action="append", metavar=("DETECTOR", "POSE"), help="measured too")
    args = parser.parse_args()
    dataset = Dataset(args.annotations, args.images)
    photos = of_one_person(args.annotations)
    print(f"{len(photos)} photos of one person")
    for detector, pose in [(DEFAULT_DETECTOR, DEFAULT_POSE), *(args.pair or [])]:
        show(f"{detector} + {pose}", dataset, photos, *ours(detector, pose, dataset, photos))
    if args.mediapipe:
        show("MediaPipe Pose, full", dataset, photos, *mediapipe(args.mediapipe, dataset, photos))


def of_one_person(annotations: Path) -> list[int]:
    """Return the photos with a single annotation, crowds counted, whose joints are annotated."""
    people = json.loads(annotations.read_text(encoding="utf-8"))["annotations"]
    counts = Counter(person["image_id"] for person in people)
    return sorted(
        person["image_id"] for person in people if counts[person["image_id"]] == 1 and person["num_keypoints"]
    )


def ours(detector: str, pose: str, dataset: Dataset, photos: list[int]) -> tuple[list[dict[str, Any]], float]:
    """Return COCO results of a pair, and the processor time in seconds."""
    results = []
    with PoseEstimator(detector=detector, pose=pose) as estimator:
        estimator(dataset.path(photos[0]))  # engines settle in the first run
        begun = time.process_time()
        for photo in photos:
            results += coco_results(estimator(load_image(dataset.path(photo))), photo)
        return results, time.process_time() - begun


def mediapipe(python: Path, dataset: Dataset, photos: list[int]) -> tuple[list[dict[str, Any]], float]:
    """Return COCO results of MediaPipe, and the processor time in seconds."""
    command = [python, MEDIAPIPE, *(str(dataset.path(photo)) for photo in photos)]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    results = []
    for photo, landmarks in zip(photos, found["people"], strict=True):
        if landmarks:
            joints = [landmarks[index] for index in LANDMARKS]
            score = sum(visibility for *_, visibility in joints) / len(joints)
            keypoints = [number for joint in joints for number in joint]
            results.append({"image_id": photo, "category_id": 1, "keypoints": keypoints, "score": score})
    return results, found["seconds"]


def show(
    name: str, dataset: Dataset, photos: list[int], results: list[dict[str, Any]], seconds: float
) -> None:
    """Print what was measured."""
    figures, evaluation = keypoint_metrics(dataset, results, photos)
    low, high = bootstrap(evaluation)
    found = len({result["image_id"] for result in results})
    print(
        f"{name}: AP {figures['AP']:.1f} ({low:.1f} to {high:.1f}), AP50 {figures['AP50']:.1f}, somebody"
        f" found on {found}, {1000 * seconds / len(photos):.1f} ms of processor a photo",
        flush=True,
    )


if __name__ == "__main__":
    main()
