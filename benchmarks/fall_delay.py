"""Delay until a fall is reported in video, for synthetic people, in both modes and at several frame rates.

    python -m benchmarks.fall_delay my_actions.onnx --falls 10

The model was trained on `training.skeletons`, but with other people. Poses go through `VideoPoseEstimator`
like those of a pose model, including smoothing and ids. A delay is the time from the first frame of the fall,
or from the frame in which the person reaches the ground, to the first frame that reports the fall. The data
is synthetic, so the results say nothing about real falls.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from pose_onnx import ActionModel, Poses, load_card
from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.image_files import ImageSource
from pose_onnx.video import VideoPoseEstimator
from pose_onnx.video.actions import MODES
from training.skeletons import CLEAR, SIZE, TEST_RATES, Clip, perform

CARD = load_card("tinypose_128x96")
SECONDS = 10.0
EARLIEST = 1.4  # seconds: videos begin at a random moment before this, and everyone falls later
SEED = 3  # of the benchmark's people


class Scripted:
    """A `PoseModel` that finds the people of a clip, frame by frame."""

    names, skeleton, flip_pairs = CARD.keypoints, CARD.skeleton, CARD.flip_pairs
    sigmas = tuple(np.full(len(CARD.keypoints), 0.07))  # about COCO's

    def __init__(self, clip: Clip, first: int) -> None:
        self._clip, self._index = clip, first - 1

    def __call__(self, image: ImageSource, *, color: Color = "bgr") -> Poses:
        """Find the person of the next frame."""
        del image, color
        self._index += 1
        return self._clip.poses(self._index)

    def describe(self) -> dict[str, Any]:
        """Describe the model."""
        return {"pose": "synthetic"}

    def close(self) -> None:
        """Do nothing: no resources are open."""


class Fall(NamedTuple):
    """When someone falls (seconds), and when the video reports it; infinite if it never does."""

    begins: float
    ends: float
    said: float


def said_at(model: ActionModel, clip: Clip, first: int, mode: str, label: str) -> Iterator[float]:
    """Yield the times at which a video reports a label for anyone."""
    image: Image = np.zeros((*SIZE, 3), np.uint8)
    frames = ((time, image) for time in clip.times[first:].tolist())
    video = VideoPoseEstimator(Scripted(clip, first), actions=model, action_windows=mode)
    for frame in video.run(frames):
        if any(action is not None and action.label == label for action in frame.poses.actions or ()):
            yield frame.time


def falls(model: ActionModel, mode: str, rate: float, count: int, label: str) -> Iterator[Fall]:
    """Simulate people who fall."""
    for person in range(count):
        rng = np.random.default_rng([SEED, person, round(10 * rate)])
        clip = perform("fall", rate, rng, SECONDS)
        (_, begins, _), (clear, _, _) = clip.rows
        first = int(rng.uniform(0, EARLIEST) * rate)
        said = next(said_at(model, clip, first, mode, label), np.inf)
        yield Fall(begins, begins + (clear - begins) / CLEAR, said)


def false_alarms(model: ActionModel, mode: str, rate: float, count: int, label: str) -> int:
    """Count the videos of people who stand, walk, wave and sit down in which a fall is reported."""
    alarms = 0
    for person in range(count):
        for index, action in enumerate(("stand", "walk", "wave", "sit_down")):
            rng = np.random.default_rng([SEED, person, round(10 * rate), index])
            clip = perform(action, rate, rng)
            alarms += next(said_at(model, clip, 0, mode, label), None) is not None
    return alarms


def row(found: Sequence[Fall]) -> str:
    """Describe the delays."""
    after = [fall for fall in found if fall.begins <= fall.said < np.inf]
    early, missed = (
        sum(c) for c in zip(*((f.said < f.begins, np.isinf(f.said)) for f in found), strict=True)
    )
    begins, ends = ([fall.said - getattr(fall, name) for fall in after] for name in ("begins", "ends"))
    numbers = [f"{np.median(x):.2f} / {np.quantile(x, 0.9):.2f}" if x else "-" for x in (begins, ends)]
    return f"{len(found)} | {missed} | {early} | {numbers[0]} | {numbers[1]}"


def main() -> None:
    """Print a row for each mode and frame rate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--falls", type=int, default=10, help="at each rate (default: %(default)s)")
    parser.add_argument("--others", type=int, default=10, help="who do not fall (default: %(default)s)")
    parser.add_argument("--label", default="fall", help="class that is a fall (default: %(default)s)")
    args = parser.parse_args()
    print("mode, frames/s | falls | missed | said before | after beginning, median / 90 % | after the ground")
    with ActionModel(args.model, threads=1) as model:
        for mode in MODES:
            for rate in TEST_RATES:
                found = list(falls(model, mode, rate, args.falls, args.label))
                print(f"{mode}, {rate:g} | {row(found)}", flush=True)
                alarms = false_alarms(model, mode, rate, args.others, args.label)
                print(
                    f"  of {4 * args.others} videos in which nobody falls, it is said in {alarms}", flush=True
                )


if __name__ == "__main__":
    main()
