"""From how many people on one pass is faster than a detector and a crop for each person.

A picture with so many people is made of the bundled photo, a little further in each frame. One pass costs
what it costs; the pair costs its detector, which looks at every frame here, and a crop for each of the
people, whose boxes are given. What the networks answer does not matter, so that files with random weights
will do. The two are interleaved; of each the median of the CPU time on one thread is taken, which is steadier
than the clock on a busy machine.

    python benchmarks/one_pass_crossover.py ONE_PASS.onnx [--pair DETECTOR POSE] [--people 1 4 16 40]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from pose_onnx import OnePassModel, PoseEstimator, load_image
from pose_onnx.bench._crowd import repeat_picture
from pose_onnx.core.arrays import F32, Image
from pose_onnx.pairs import PAIRS

PHOTO: Final = Path(__file__).parents[1] / "models" / "photos" / "astronaut.jpg"
ROUNDS: Final = 5
STEP: Final = 3
"""Pixels that the people move from frame to frame."""


def crowd(people: int) -> tuple[Image, F32]:
    """Return a picture of so many people or a few more, and boxes of just so many."""
    picture = repeat_picture(load_image(PHOTO), people)
    columns = int(np.ceil(np.sqrt(people)))
    rows = -(-people // columns)
    height, width = picture.shape[0] / rows, picture.shape[1] / columns
    places = np.arange(people)
    left, top = places % columns * width, places // columns * height
    return picture, np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)


def frames(picture: Image) -> Iterator[Image]:
    """Give the picture again and again, the people a little further."""
    while True:
        picture = np.ascontiguousarray(np.roll(picture, STEP, axis=1))
        yield picture


def timed(work: Callable[[Image], object], frame: Image) -> float:
    """Return the seconds of CPU time that something takes."""
    start = time.process_time()
    work(frame)
    return time.process_time() - start


def compare(one_pass: OnePassModel, pair: PoseEstimator, people: int, rounds: int) -> tuple[float, float]:
    """Return the median seconds a frame of both."""
    picture, boxes = crowd(people)

    def two_steps(frame: Image) -> None:
        pair.find_boxes(frame)
        pair.find_in_boxes(frame, boxes)

    source = frames(picture)
    taken = [[timed(work, next(source)) for work in (one_pass, two_steps)] for _ in range(rounds + 1)]
    one, two = np.median(taken[1:], axis=0)  # the first is to warm up
    return float(one), float(two)


def main() -> None:
    """Print a table, and where the two lines cross."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("one_pass")
    parser.add_argument("--pair", nargs=2, default=PAIRS["builtin"], metavar=("DETECTOR", "POSE"))
    parser.add_argument("--people", nargs="+", type=int, default=[1, 4, 16, 40])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    found = []
    with OnePassModel(args.one_pass, threads=1) as one_pass, PoseEstimator(*args.pair, threads=1) as pair:
        print(f"{'people':>6} {'one pass, ms':>13} {'pair, ms':>9} {'ratio':>6}")
        for people in args.people:
            one, two = compare(one_pass, pair, people, args.rounds)
            found.append((people, one, two))
            print(f"{people:6} {1e3 * one:13.1f} {1e3 * two:9.1f} {one / two:6.2f}")
    people, ones, twos = np.array(found).T
    each, rest = np.polyfit(people, twos, 1)
    print(
        f"a person more costs the pair {1e3 * each:.2f} ms; equal at {(ones.mean() - rest) / each:.0f} people"
    )


if __name__ == "__main__":
    main()
