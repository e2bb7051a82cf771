"""Jitter and lag of the smoothing, on motion with known truth, at several frame rates.

    python benchmarks/smoothing.py

The person is 1.7 m tall, the box is 200 x 80 pixels, and every joint has noise of 1 % of the person's size.
Jitter is the standard deviation of a still joint. Lag is the delay that best explains a joint moving at
1 m/s.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pose_onnx import Poses
from pose_onnx.video import OneEuro, PaddleFilter, Smoother

HEIGHT, WIDTH, METRES = 200.0, 80.0, 1.7
SIZE = math.sqrt(HEIGHT * WIDTH)  # pixels
NOISE = 0.01 * SIZE
SPEED = HEIGHT / METRES  # pixels per second at 1 m/s
JOINTS = 17
SECONDS = 12.0
SETTLED_S = 2.0
PACE_S, WALK_S = 4.0, 2.7  # walks for 2.7 s of every 4
IMAGE_SIZE = (720, 1280)


def smoothed(
    smooth: Smoother, truth: NDArray[np.float64], fps: float, *, seed: int = 0
) -> NDArray[np.float64]:
    """Return (F, K, 2): the filtered joints of a person whose joints are all at (F, 2) `truth` plus noise."""
    rng = np.random.default_rng(seed)
    smoothing = smooth.start()
    names = tuple(map(str, range(JOINTS)))
    result = []
    for index, place in enumerate(truth):
        points = (place + NOISE * rng.standard_normal((1, JOINTS, 2))).astype(np.float32)
        half = np.array([WIDTH, HEIGHT]) / 2
        box = np.concatenate([place - half, place + half])[None].astype(np.float32)
        scores = np.full((1, JOINTS), 0.7, np.float32)
        poses = Poses(points, scores, box, np.ones(1, np.float32), names, np.array([1]))
        result.append(smoothing(poses, index / fps, IMAGE_SIZE).keypoints[0].astype(np.float64))
    return np.stack(result)


def jitter_gain(smooth: Smoother, fps: float) -> float:
    """Return how many times steadier a still joint is."""
    truth = np.full((int(SECONDS * fps), 2), 300.0)
    settled = smoothed(smooth, truth, fps)[int(SETTLED_S * fps) :]
    return float(NOISE / np.sqrt(np.square(settled - settled.mean(axis=0)).mean()))


def lag_frames(smooth: Smoother, fps: float) -> float:
    """Return the lag in frames of a joint that walks (1 m/s), stops and walks on."""
    times = np.arange(int(SECONDS * fps)) / fps
    going = (times % PACE_S < WALK_S).astype(float)
    truth = np.stack([100 + SPEED * np.cumsum(going) / fps, np.full(len(times), 300.0)], axis=1)
    walked = smoothed(smooth, truth, fps).mean(axis=1)[:, 0]
    delays = np.linspace(0, 0.5, 501)
    late = [
        np.square(walked - np.interp(times - delay, times, truth[:, 0]))[int(fps) :].mean()
        for delay in delays
    ]
    return float(delays[int(np.argmin(late))] * fps)


def main() -> None:
    """Print the table."""
    print(f"noise {NOISE:.2f} px, person's size {SIZE:.0f} px, 1 m/s = {SPEED / SIZE:.2f} sizes/s")
    for name, smooth in (("OneEuro()", OneEuro()), ("PaddleFilter()", PaddleFilter())):
        for fps in (10, 30, 60):
            gain, lag = jitter_gain(smooth, fps), lag_frames(smooth, fps)
            print(f"{name:15} {fps:3} fps: jitter / {gain:.1f}, lag {lag:.2f} frames")


if __name__ == "__main__":
    main()
