"""The whole pipeline against its two networks alone, and TFLite against ONNX Runtime.

    OMP_NUM_THREADS=1 python benchmarks/overhead.py [--people 1 4 16] [--detector MODEL] [--pose MODEL]

One thread. MODEL is a name or a path; a path's suffix is replaced with the backend's. The picture is a photo
repeated until it holds enough people. All runs are interleaved, after a warm-up. The output has medians of
the process's CPU time, which other programs disturb less than wall-clock time, and medians of the ratios of
neighbouring runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import cv2
import numpy as np

from pose_onnx import TopDownEstimator, load_image
from pose_onnx.bench import gather
from pose_onnx.core.images import decode_image
from pose_onnx.keypoint_model import share_out
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from pose_onnx.runtimes import model_suffix

PHOTO: Final = Path(__file__).parents[1] / "models" / "photos" / "astronaut.jpg"
BACKENDS: Final = ("ort", "tflite")
WARM_UP: Final = 5


def arguments(detector: str, pose: str, backend: str) -> dict[str, str]:
    """Return the arguments of an estimator that runs the models with a backend."""
    suffix = model_suffix(backend)
    detector, pose = (
        str(Path(name).with_suffix(suffix)) if Path(name).suffix else name for name in (detector, pose)
    )
    return {"detector": detector, "pose": pose, "backend": backend}


def crowded(people: int, *threads: int, **models: str) -> tuple[np.ndarray, list[TopDownEstimator]]:
    """Return a picture, and for each number of threads an estimator that finds `people` people in it."""
    crowd = gather(load_image(PHOTO), people, models)
    estimators = [TopDownEstimator(**models, threads=count, threshold=crowd.threshold) for count in threads]
    return decode_image(crowd.jpeg, "crowd"), estimators


def networks(estimator: TopDownEstimator, people: int) -> Callable[[], None]:
    """Return the network runs that the pipeline makes for a number of people, on arbitrary input."""
    rng = np.random.default_rng(0)
    model = estimator.pose
    image = rng.standard_normal((1, 3, *estimator.detector.card.picture.size), np.float32)
    crops = rng.standard_normal((people, 3, *model.card.picture.size), np.float32)
    batches = [{"image": crops[batch]} for batch in share_out(people, model.batch_size, 1)]

    def run() -> None:
        estimator.detector.runtime.run({"image": image})
        for batch in batches:
            model.runtime.run(batch)

    return run


def measure(
    functions: Sequence[Callable[[], object]], repeats: int, clock: Callable[[], float]
) -> list[list[float]]:
    """Return the milliseconds of each round, for each function; their runs are interleaved."""
    times: list[list[float]] = [[] for _ in functions]
    for repeat in range(WARM_UP + repeats):
        for function, own in zip(functions, times, strict=True):
            start = clock()
            function()
            if repeat >= WARM_UP:
                own.append(1e3 * (clock() - start))
    return times


def ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios of two functions' rounds."""
    return median(one / other for one, other in zip(times, others, strict=True))


def main() -> None:
    """Print a line for each number of people and backend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--pose", default=DEFAULT_POSE)
    parser.add_argument("--repeats", type=int, default=50)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    for people in given.people:
        whole: list[Callable[[], object]] = []
        bare: list[Callable[[], object]] = []
        for backend in BACKENDS:
            image, (estimator,) = crowded(people, 1, **arguments(given.detector, given.pose, backend))
            whole.append(partial(estimator, image))
            bare.append(networks(estimator, people))
        times = measure([*whole, *bare], given.repeats, time.process_time)
        for index, backend in enumerate(BACKENDS):
            own, nets = times[index], times[index + len(BACKENDS)]
            print(
                f"{people:3d} people, {backend:6s}: {median(own):7.2f} ms, networks {median(nets):7.2f} ms:"
                f" {ratio(own, nets):.3f}x; {BACKENDS[0]} to it {ratio(times[0], own):.3f}x"
            )


if __name__ == "__main__":
    main()
