"""From which number of people one pass is faster than a detector plus one crop per person.

Pictures with the wanted number of people are made from the bundled photo, moved a little in each frame. The
cost of one pass is fixed. The pair costs its detector, which runs on every frame here, plus a crop for each
person, whose boxes are given. The networks' results do not matter, so files with random weights are enough.
Runs of the two are interleaved; the result is the median CPU time on one thread, which is steadier than the
clock on a busy machine.

    python benchmarks/one_pass_crossover.py ONE_PASS.onnx [--pair DETECTOR POSE] [--people 1 4 16 40]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from pose_onnx import PoseEstimator, TopDownEstimator, load_image
from pose_onnx.bench._crowd import repeat_picture
from pose_onnx.core.arrays import F32, Image
from pose_onnx.pairs import PAIRS

PHOTO: Final = Path(__file__).parents[1] / "models" / "photos" / "astronaut.jpg"
ROUNDS: Final = 5
STEP: Final = 3
"""Pixels that the people move from frame to frame."""


def crowd(people: int) -> tuple[Image, F32]:
    """Return a picture with at least the wanted number of people, and exactly that many boxes."""
    picture = repeat_picture(load_image(PHOTO), people)
    columns = int(np.ceil(np.sqrt(people)))
    rows = -(-people // columns)
    height, width = picture.shape[0] / rows, picture.shape[1] / columns
    places = np.arange(people)
    left, top = places % columns * width, places // columns * height
    return picture, np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)


def frames(picture: Image) -> Iterator[Image]:
    """Yield the picture repeatedly, each time with the people moved a little."""
    while True:
        picture = np.ascontiguousarray(np.roll(picture, STEP, axis=1))
        yield picture


def timed(work: Callable[[Image], object], frame: Image) -> float:
    """Return the CPU time of a call, seconds."""
    start = time.process_time()
    work(frame)
    return time.process_time() - start


def compare(one_pass: PoseEstimator, pair: TopDownEstimator, people: int, rounds: int) -> tuple[float, float]:
    """Return the median seconds per frame of both."""
    picture, boxes = crowd(people)

    def two_steps(frame: Image) -> None:
        pair.find_boxes(frame)
        pair.find_in_boxes(frame, boxes)

    source = frames(picture)
    taken = [[timed(work, next(source)) for work in (one_pass, two_steps)] for _ in range(rounds + 1)]
    one, two = np.median(taken[1:], axis=0)  # the first is the warm-up
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
    one_pass, pair = PoseEstimator(pose=args.one_pass, threads=1), TopDownEstimator(*args.pair, threads=1)
    with one_pass, pair:
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
