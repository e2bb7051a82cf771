"""Cost per frame when the detector runs only on every 8th frame, and how similar the poses remain.

    OMP_NUM_THREADS=1 python -m benchmarks.video_speed [--detector M --pose M] [--coco DIR] [--rounds 5]

Measures the processor time of this process on one thread, interleaved with detecting in every frame. Frames
are made beforehand. Two people walk towards each other and do not touch.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.video_scene import coco_people, crossing, demo_people
from pose_onnx import PoseEstimator
from pose_onnx.core.oks import COCO_SIGMAS, oks
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from pose_onnx.poses import JOINT_THRESHOLD
from pose_onnx.video import Every, Frame, VideoPoseEstimator

FRAMES = 64
WARM_UP = 8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--pose", default=DEFAULT_POSE)
    parser.add_argument("--coco", type=Path, help="folder with person_keypoints_dev.json and images/")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    people = coco_people(options.coco) if options.coco else demo_people()
    clip = list(crossing(people, options.seed).frames())[:FRAMES]
    estimator = PoseEstimator(options.detector, options.pose, threads=1)
    ways: tuple[Every, ...] = (1, 8, "auto")
    videos = {every: VideoPoseEstimator(estimator, every=every, smooth=None) for every in ways}
    results = {every: list(video.run(clip[:WARM_UP])) for every, video in videos.items()}
    times: dict[Every, list[float]] = {every: [] for every in videos}
    for _ in range(options.rounds):
        for every, video in videos.items():
            begun = time.process_time()
            results[every] = list(video.run(clip))
            times[every].append((time.process_time() - begun) / len(clip))
    for every, spent in times.items():
        ratio = statistics.median(one / other for one, other in zip(times[1], spent, strict=True))
        detections = sum(frame.detected for frame in results[every])
        print(
            f"every {every!s:4}: {1000 * statistics.median(spent):5.1f} ms of CPU a frame, {ratio:.2f} x,"
            f" {detections} detections in {len(clip)} frames,"
            f" mean OKS with every frame {mean_oks(results[1], results[every]):.3f}"
            f" (of all joints {mean_oks(results[1], results[every], threshold=-np.inf):.3f})"
        )


def mean_oks(frames: list[Frame], others: list[Frame], threshold: float = JOINT_THRESHOLD) -> float:
    """Return the mean OKS of people with the same id; a person missing from the others counts as 0.

    Only joints with a score above `threshold` count, just as COCO counts only visible joints: it does not
    matter where a model puts feet that are outside the picture.
    """
    found = []
    for frame, other in zip(frames, others, strict=True):
        for person in frame.poses:
            match, sure = other.poses[other.poses.ids == person.ids], person.scores[0] > threshold
            areas = np.prod(person.boxes[:, 2:] - person.boxes[:, :2], axis=1)
            sigmas = tuple(np.array(COCO_SIGMAS)[sure])
            alike = oks(person.keypoints[:, sure], match.keypoints[:, sure], areas, sigmas)
            found.append(float(alike[0, 0]) if alike.size else 0.0)
    return statistics.fmean(found)


if __name__ == "__main__":
    main()
