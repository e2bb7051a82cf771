"""Synthetic people who stand, walk, sit down, fall and wave, as JSON Lines with a table of actions.

    python -m training.skeletons FOLDER --train 120 --test 40

They show that training, export and video work together, but nothing about real people. A body of straight
limbs moves by sines and ramps and is seen by a camera from any side. Then come the errors of a pose model:
noise, joints that are lost for a while (a low score, the wrong place) and frames without the person. The
test persons have bodies, cameras and frame rates that do not occur in training.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose_onnx import Poses, load_card
from pose_onnx.core.arrays import F64
from pose_onnx.formats import FrameRecord, FramesHeader, FrameWriter

NAMES: Final = load_card("stgcn_pphuman").keypoints
COLUMNS: Final = ("file", "id", "start", "stop", "action")
SIZE: Final = (720, 1280)  # height, width of the picture
TRAIN_RATES: Final = (10.0, 15.0, 25.0, 30.0)  # frames a second
TEST_RATES: Final = (8.0, 12.5, 24.0, 50.0)
AFTER: Final = 1.5  # seconds after sitting down or falling that still have that label
CLEAR: Final = 0.6  # share of a movement after which it can be recognised
WALKS_BEFORE: Final = 0.5  # share of those who sit down or fall; the others stand before

# Relative to the body's height.
THIGH, SHIN, HIPS, TORSO, SHOULDERS, UPPER_ARM, FOREARM = 0.245, 0.246, 0.055, 0.29, 0.115, 0.17, 0.16
HEAD: Final = np.array(  # nose, eyes, ears relative to the middle of the shoulders: left, up, forward
    [[0, 0.11, 0.06], [0.02, 0.13, 0.05], [-0.02, 0.13, 0.05], [0.045, 0.12, 0], [-0.045, 0.12, 0]]
)
Angles = dict[str, F64]
"""Radians over time, (T,) each. For the left and the right side, forward: `thigh`, `knee`, `arm`, `elbow`;
sideways: `up` (upper arm) and `forearm`. For the body: `lean` and `fall`."""


class Act(NamedTuple):
    """A movement: angles over time, and which action is done from when to when."""

    angles: Angles
    walking: F64
    rows: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Clip:
    """A person: (T,) seconds, the pose at each, (T,) whether it was seen, and which action is done when."""

    times: F64
    all_poses: Poses
    seen: NDArray[np.bool_]
    rows: list[tuple[float, float, str]]

    def poses(self, index: int) -> Poses:
        """The person in one frame, or nobody."""
        return self.all_poses[index : index + int(self.seen[index])]


def _ramp(times: F64, start: float, length: float) -> F64:
    """From 0 to 1, slow at both ends."""
    share = np.clip((times - start) / length, 0, 1)
    return share * share * (3 - 2 * share)


def _still(times: F64, rng: np.random.Generator) -> Angles:
    """Someone who stands and sways a little."""
    names = [f"{side}_{limb}" for side in ("left", "right") for limb in ("thigh", "knee", "arm", "elbow")]
    angles = {
        name: rng.uniform(0, 0.08) + 0.03 * np.sin(times * rng.uniform(0.5, 2) + rng.uniform(0, 6))
        for name in [*names, "lean"]
    }
    for side in ("left", "right"):
        angles[f"{side}_elbow"] = angles[f"{side}_elbow"] + rng.uniform(0, 0.5)
        angles[f"{side}_up"] = angles[f"{side}_forearm"] = np.full_like(times, rng.uniform(0.05, 0.3))
    angles["fall"] = np.zeros_like(times)
    return angles


def _steps(times: F64, rng: np.random.Generator, angles: Angles, until: float) -> F64:
    """Add walking; return the speed in body heights per second."""
    pace, phase = rng.uniform(0.75, 1.15), rng.uniform(0, 6)
    strength = 1 - _ramp(times, until, 0.3)
    swing = rng.uniform(0.3, 0.55) * strength
    for side, turn in (("left", 0), ("right", np.pi)):
        beat = 2 * np.pi * pace * times + phase + turn
        angles[f"{side}_thigh"] = angles[f"{side}_thigh"] + swing * np.sin(beat)
        angles[f"{side}_knee"] = angles[f"{side}_knee"] + 1.2 * swing * (1 + np.sin(beat + 1.2))
        angles[f"{side}_arm"] = angles[f"{side}_arm"] - rng.uniform(0.5, 1) * swing * np.sin(beat)
    speed: F64 = strength * rng.uniform(0.5, 0.9)
    return speed


def stand(times: F64, rng: np.random.Generator) -> Act:
    """Someone who stands all the time."""
    return Act(_still(times, rng), np.zeros_like(times), [(times[0], times[-1], "stand")])


def walk(times: F64, rng: np.random.Generator) -> Act:
    """Someone who walks all the time."""
    angles = _still(times, rng)
    return Act(angles, _steps(times, rng, angles, np.inf), [(times[0], times[-1], "walk")])


def wave(times: F64, rng: np.random.Generator) -> Act:
    """Someone who stands and waves with one or both arms."""
    angles, start, rate = _still(times, rng), rng.uniform(1.2, 2), rng.uniform(1.2, 2.5)
    lifted, wide = _ramp(times, start, 0.4), rng.uniform(0.3, 0.7)
    for side in rng.permutation(["left", "right"])[: rng.integers(1, 3)]:
        angles[f"{side}_up"] = angles[f"{side}_up"] + lifted * rng.uniform(1.2, 2.2)
        to_and_fro = wide * np.sin(2 * np.pi * rate * times + rng.uniform(0, 6))
        angles[f"{side}_forearm"] = angles[f"{side}_forearm"] + lifted * (2.8 + to_and_fro)
    rows = [(times[0], start, "stand"), (start + 0.6, times[-1], "wave")]
    return Act(angles, np.zeros_like(times), rows)


def sit_down(times: F64, rng: np.random.Generator) -> Act:
    """Someone who stands or walks up, then sits down."""
    angles, start, length = _still(times, rng), rng.uniform(1.5, 2.5), rng.uniform(0.8, 1.4)
    before, speed = _before(times, rng, angles, start)
    down = _ramp(times, start, length)
    deep = rng.uniform(1.3, 1.65)
    for side in ("left", "right"):
        angles[f"{side}_thigh"] = (1 - down) * angles[f"{side}_thigh"] + down * deep
        angles[f"{side}_knee"] = (1 - down) * angles[f"{side}_knee"] + down * (deep + rng.uniform(-0.3, 0.2))
        angles[f"{side}_arm"] = angles[f"{side}_arm"] + down * rng.uniform(0, 0.7)
    angles["lean"] = angles["lean"] + rng.uniform(0.3, 0.8) * np.sin(np.pi * down)
    rows = [before, (start + CLEAR * length, start + length + AFTER, "sit_down")]
    return Act(angles, speed, rows)


def fall(times: F64, rng: np.random.Generator) -> Act:
    """Someone who stands or walks, falls to any side with growing speed, and stays on the ground."""
    angles, start, length = _still(times, rng), rng.uniform(1.5, 2.5), rng.uniform(0.6, 1.1)
    before, speed = _before(times, rng, angles, start)
    down = np.clip((times - start) / length, 0, 1) ** 2
    angles["fall"] = down * rng.uniform(1.35, 1.6)
    bend = rng.uniform(0, 1.2)
    for side in ("left", "right"):
        angles[f"{side}_thigh"] = angles[f"{side}_thigh"] + down * bend * rng.uniform(0.3, 0.7)
        angles[f"{side}_knee"] = angles[f"{side}_knee"] + down * bend
        angles[f"{side}_arm"] = angles[f"{side}_arm"] + down * rng.uniform(-0.5, 1.8)
        angles[f"{side}_up"] = angles[f"{side}_up"] + down * rng.uniform(0, 1)
    rows = [before, (start + CLEAR * length, start + length + AFTER, "fall")]
    return Act(angles, speed, rows)


def _before(
    times: F64, rng: np.random.Generator, angles: Angles, start: float
) -> tuple[tuple[float, float, str], F64]:
    """The action before: walking or standing."""
    if rng.random() < WALKS_BEFORE:
        return (times[0], start, "walk"), _steps(times, rng, angles, start - 0.3)
    return (times[0], start, "stand"), np.zeros_like(times)


ACTS: Final[Mapping[str, Callable[[F64, np.random.Generator], Act]]] = MappingProxyType(
    {"stand": stand, "walk": walk, "wave": wave, "sit_down": sit_down, "fall": fall}
)


def _limb(pitch: F64, sideways: F64, length: float) -> F64:
    """From a joint to the next, (T, 3): 0 and 0 hangs down; `pitch` is forward, `sideways` to the left."""
    down = np.cos(sideways)
    return length * np.stack([np.sin(sideways), -down * np.cos(pitch), down * np.sin(pitch)], axis=1)


def body(angles: Angles, direction: float) -> F64:
    """Joints (T, 17, 3) of a body of height 1 on the ground: left, up, forward. It falls in a direction."""
    zero = np.zeros_like(angles["lean"])
    joints = np.zeros((len(zero), len(NAMES), 3))
    legs = {}
    for side in ("left", "right"):
        thigh = _limb(angles[f"{side}_thigh"], zero, THIGH)
        legs[side] = thigh, thigh + _limb(angles[f"{side}_thigh"] - angles[f"{side}_knee"], zero, SHIN)
    height = np.max([-low[:, 1] for _, low in legs.values()], axis=0)  # the lower foot is on the ground
    pelvis = np.stack([zero, height, zero], axis=1)
    chest = pelvis - _limb(-angles["lean"], zero, TORSO)
    for side, sign in (("left", 1), ("right", -1)):
        across = sign * np.array([1.0, 0, 0])
        hip, shoulder = pelvis + HIPS * across, chest + SHOULDERS * across
        pitch = angles[f"{side}_arm"]
        elbow = shoulder + _limb(pitch, sign * angles[f"{side}_up"], UPPER_ARM)
        wrist = elbow + _limb(pitch + angles[f"{side}_elbow"], sign * angles[f"{side}_forearm"], FOREARM)
        places = {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "hip": hip}
        places |= {"knee": hip + legs[side][0], "ankle": hip + legs[side][1]}
        for name, place in places.items():
            joints[:, NAMES.index(f"{side}_{name}")] = place
    joints[:, : len(HEAD)] = chest[:, None] + HEAD
    fallen = _turned(_turned(joints, direction), angles["fall"], axis=0)
    return _turned(fallen, -direction)


def _turned(points: F64, angle: F64 | float, axis: int = 1) -> F64:
    """Rotate points (T, K, 3) about the upward axis (1), or forward to the ground about the left one (0)."""
    a, b = ((2, 0), (1, 2))[axis == 0]
    turned: F64 = points.copy()
    cos, sin = (np.reshape(f(angle), (-1, 1)) for f in (np.cos, np.sin))
    turned[..., a] = cos * points[..., a] - sin * points[..., b]
    turned[..., b] = sin * points[..., a] + cos * points[..., b]
    return turned


def perform(action: str, rate: float, rng: np.random.Generator, seconds: float = 5.0) -> Clip:
    """Simulate someone doing something in front of a camera."""
    times = np.arange(round(seconds * rate)) / rate
    angles, walking, rows = ACTS[action](times, rng)
    joints = body(angles, rng.uniform(0, 2 * np.pi)) * rng.uniform(0.9, 1.1, (1, 1, 3))
    way = np.cumsum(walking) / rate
    joints[..., 2] += (way - way.mean())[:, None]
    joints = _turned(joints, rng.uniform(0, 2 * np.pi))
    joints = _turned(joints, np.full(len(times), rng.uniform(0, 0.45)), axis=0)  # the camera looks down
    size = rng.uniform(100, 350)  # pixels
    distance = rng.uniform(4, 9)  # body heights
    points = joints[..., :2] * (1, -1) * (size * distance / (distance - joints[..., 2:]))
    points += np.array(SIZE[::-1]) / 2 - points.mean(axis=(0, 1))
    return _seen(times, points, size, rng, rows)


def _seen(
    times: F64, points: F64, size: float, rng: np.random.Generator, rows: list[tuple[float, float, str]]
) -> Clip:
    """What a pose model and a tracker would return for joints (T, K, 2) of a body `size` pixels high."""
    points = points + rng.normal(0, rng.uniform(0.005, 0.02) * size, points.shape)
    scores = rng.uniform(0.6, 0.95, points.shape[:2])
    low, high = points.min(axis=1), points.max(axis=1)
    margin = rng.uniform(0.04, 0.12) * size + rng.normal(0, 0.01 * size, low.shape)
    boxes = np.concatenate([low - margin, high + margin], axis=1)
    for _ in range(rng.integers(0, 4)):
        joint, span = rng.integers(points.shape[1]), _span(times, rng.uniform(0.2, 1), rng)
        points[span, joint] += rng.normal(0, 0.15 * size, 2)
        scores[span, joint] = rng.uniform(0.02, 0.2)
    seen = np.ones(len(times), bool)
    for _ in range(rng.integers(0, 3)):
        seen[_span(times, rng.uniform(0, 0.4), rng)] = False
    arrays = (points, scores, boxes, np.ones(len(times)))
    keypoints, heights, corners, ones = (array.astype(np.float32) for array in arrays)
    people = Poses(keypoints, heights, corners, ones, NAMES, ones.astype(np.int64))
    return Clip(times, people, seen, rows)


def _span(times: F64, length: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    start = rng.uniform(times[0] + 0.2, times[-1])
    span: NDArray[np.bool_] = (times >= start) & (times < start + length)
    return span


def clips(persons: int, rates: Sequence[float], seed: int) -> Iterator[Clip]:
    """Yield a clip of each action of each person."""
    for person in range(persons):
        for index, action in enumerate(ACTS):
            rng = np.random.default_rng([seed, person, index])
            yield perform(action, rates[person % len(rates)], rng)


def write(folder: Path, name: str, found: Iterator[Clip]) -> None:
    """Write clips as JSON Lines, and the table of their actions."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for index, clip in enumerate(found):
            lines = f"{name}{index:05d}.jsonl"
            table.writerows([lines, 1, *row] for row in clip.rows)
            with FrameWriter(folder / lines, FramesHeader("synthetic", NAMES)) as writer:
                for frame, time in enumerate(clip.times.tolist()):
                    writer.write(FrameRecord(frame, time, SIZE, clip.poses(frame)))


def main() -> None:
    """Write persons for training, and other persons for testing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=120, help="persons (default: %(default)s)")
    parser.add_argument("--test", type=int, default=40, help="persons (default: %(default)s)")
    args = parser.parse_args()
    write(args.folder, "train", clips(args.train, TRAIN_RATES, seed=1))
    write(args.folder, "test", clips(args.test, TEST_RATES, seed=2))


if __name__ == "__main__":
    main()
