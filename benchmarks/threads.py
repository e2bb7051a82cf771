"""Several threads against one: one picture of many people, and many pictures through `PoseEstimator.map`.

    OMP_NUM_THREADS=1 python benchmarks/threads.py [--threads 2] [--people 8] [--detector MODEL] [--pose M]

`--threads` is compared with 1, interleaved after a warm-up, by the clock: median milliseconds per call and
per image of `map`, and the medians of the ratios of neighbouring runs. The machine must be otherwise idle.
MODEL is a name or a path; a path's suffix is replaced with the backend's.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from statistics import median

import cv2
import numpy as np
from overhead import BACKENDS, arguments, crowded, measure, ratio

from pose_onnx import PoseEstimator
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE

IMAGES = 16


def run_map(estimator: PoseEstimator, image: np.ndarray) -> None:
    """Run one image through `map` repeatedly."""
    for _ in estimator.map([image] * IMAGES):
        pass


def main() -> None:
    """Print two lines for each backend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--pose", default=DEFAULT_POSE)
    parser.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    for backend in BACKENDS:
        models = arguments(given.detector, given.pose, backend)
        image, estimators = crowded(given.people, 1, given.threads, **models)
        calls = [partial(estimator, image) for estimator in estimators]
        maps = [partial(run_map, estimator, image) for estimator in estimators]
        for name, functions, repeats, images in (
            ("one image", calls, given.repeats, 1),
            ("map", maps, max(1, given.repeats // 5), IMAGES),
        ):
            one, more = measure(functions, repeats, time.perf_counter)
            print(
                f"{backend:6s} {name:9s}, {given.people} people: {median(one) / images:7.2f} ms on 1 thread,"
                f" {median(more) / images:7.2f} on {given.threads}: {ratio(one, more):.2f}x"
            )


if __name__ == "__main__":
    main()
