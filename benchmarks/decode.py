"""DARK for all joints at once, against a loop over joints as in PaddleDetection's deploy/python.

    OMP_NUM_THREADS=1 python benchmarks/decode.py

One thread, interleaved, medians after a warm-up. The loop is the one in `reference_loop.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Final

import cv2
import numpy as np
from reference_loop import decode as loop

from pose_onnx import decode_heatmaps

REPEATS: Final = 30
PEOPLE: Final = (1, 8, 32)
SIZE: Final = (64, 48)
SIGMA: Final = 2.0


def make_heatmaps(people: int) -> np.ndarray:
    """Return (N, 17, 64, 48) seeded Gaussians under a little noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    centers = rng.uniform(5, 40, (people, 17, 2))[..., None, None]
    squared = (columns - centers[:, :, 0]) ** 2 + (rows - centers[:, :, 1]) ** 2
    maps = np.exp(-squared / (2 * SIGMA**2)) + rng.normal(0, 0.02, squared.shape)
    heatmaps: np.ndarray = maps.astype(np.float32)
    return heatmaps


def measure(functions: list[Callable[[], object]]) -> list[float]:
    """Return the median milliseconds of each, interleaved."""
    times: list[list[float]] = [[] for _ in functions]
    for repeat in range(REPEATS + 2):
        for function, own in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            if repeat >= 2:  # noqa: PLR2004 (warm-up)
                own.append(1e3 * (time.perf_counter() - start))
    return [median(own) for own in times]


def main() -> None:
    """Print a line for each number of people."""
    cv2.setNumThreads(1)
    for people in PEOPLE:
        heatmaps = make_heatmaps(people)
        ours, theirs = measure([lambda h=heatmaps: decode_heatmaps(h), lambda h=heatmaps: loop(h)])
        each = f"{ours / people:.3f} ms a person, the loop {theirs / people:.3f}"
        print(f"{people:3d} people: {each}: {theirs / ours:.0f}x")


if __name__ == "__main__":
    main()
