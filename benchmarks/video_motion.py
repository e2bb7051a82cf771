"""Tracking in scenes made from COCO photos: IDF1, MOTA and id switches, ours against ByteTrack.

    python -m benchmarks.video_motion --coco DIR [--seeds 20] [--detector M --pose M]

People are cut out of photos by their annotated outlines. They walk, cross, come near and go away, leave and
return, over a part of another photo in which nobody is annotated. ByteTrack and the metrics come from
`pip install trackers` (not a dependency). ByteTrack gets the same detector's boxes for every frame, and
remembers people as long as ours does.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.video_scene import NOISE, SIZE, Cutout, coco_people, paste
from pose_onnx import TopDownEstimator, load_image
from pose_onnx.core.boxes import box_iou
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from pose_onnx.video import Every, VideoPoseEstimator

FPS = 15.0
FRAMES = 150
PEOPLE = (3, 6)  # in a scene: at least 3, fewer than 6
MEMORY_S = 3
HEIGHTS = (130.0, 230.0)  # pixels
LEAST_VISIBLE = 0.25  # share of a person's box; people with less are not in the truth
SMALLEST_PLACE = 200  # minimum width in the photo for a background, pixels
MATCHING_IOU = 0.5  # for the metrics, as in MOTChallenge

F64: TypeAlias = NDArray[np.float64]
Ids: TypeAlias = NDArray[np.int64]
Found: TypeAlias = tuple[Ids, F64]
"""Ids (N,) and boxes (N, 4) of a frame."""
Frames: TypeAlias = list[tuple[float, NDArray[np.uint8]]]
Path2D: TypeAlias = tuple[F64, F64]
"""A person's middle (F,), as a share of the picture's width, and height (F,), 0 to 1 within `HEIGHTS`."""


def walk(time: F64, rng: np.random.Generator) -> Path2D:
    """Walk back and forth, turning around at the sides."""
    phase = rng.uniform() + rng.uniform(0.06, 0.12) * time * rng.choice([-1, 1])
    return 0.1 + 0.8 * np.abs(1 - (2 * phase) % 2), np.full_like(time, rng.uniform(0.2, 0.8))


def cross(time: F64, rng: np.random.Generator) -> Path2D:
    """Walk from one side to the other."""
    across = 0.08 + 0.84 * time / time[-1] + 0.03 * np.sin(time * rng.uniform(0.5, 1.5))
    return across if rng.uniform() < 1 / 2 else 1 - across, np.full_like(time, rng.uniform(0.3, 0.7))


def approach(time: F64, rng: np.random.Generator) -> Path2D:
    """Come near and go away again, or the reverse."""
    near = 0.5 - 0.5 * np.cos(2 * np.pi * (time / time[-1] + rng.choice([0.0, 0.5])))
    return rng.uniform(0.2, 0.8) + 0.1 * np.sin(time * rng.uniform(0.2, 0.6)), near


def leave(time: F64, rng: np.random.Generator) -> Path2D:
    """Walk out of the picture, and come back after one to two seconds."""
    outside, gone = 1.2, rng.uniform(1, 2)
    away = 0.5 * time[-1] + gone / 2 - np.maximum(np.abs(time - 0.5 * time[-1]), gone / 2)
    speed = (outside - rng.uniform(0.3, 0.6)) / away.max()
    place = outside - speed * (away.max() - away)
    return place if rng.uniform() < 1 / 2 else 1 - place, np.full_like(time, rng.uniform(0.3, 0.7))


MOTIONS: tuple[Callable[[F64, np.random.Generator], Path2D], ...] = (walk, cross, approach, leave)


@dataclass(frozen=True)
class Sequence:
    """A scene.

    Attributes:
        people: N of them.
        boxes: (F, N, 4), xyxy, of the whole person, including parts outside the picture.
        background: (H, W, 3) uint8.
        seed: Seed of the noise.
    """

    people: list[Cutout]
    boxes: F64
    background: NDArray[np.uint8]
    seed: int

    def frames(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield each frame's time and pixels. People who stand lower are in front."""
        rng = np.random.default_rng(self.seed)
        for index, boxes in enumerate(self.boxes):
            image = self.background.astype(np.float32)
            for person in np.argsort(boxes[:, 3]):
                low, high = boxes[person, :2], boxes[person, 2:]
                paste(image, self.people[person].scaled(high[1] - low[1]), low)
            image += NOISE * rng.standard_normal(image.shape, np.float32)
            yield index / FPS, image.clip(0, 255).astype(np.uint8)

    def truth(self) -> Iterator[Found]:
        """Yield who is visible in each frame, and where; ids begin at 1."""
        for boxes in self.boxes:
            shown = np.clip(boxes, 0, np.tile(SIZE[::-1], 2))
            visible = np.array([_visible(person, boxes, shown) for person in range(len(boxes))])
            rows = np.flatnonzero(visible >= LEAST_VISIBLE)
            yield rows + 1, shown[rows]


def _visible(person: int, boxes: F64, shown: F64) -> float:
    """Return the share of a person's box that is inside the picture and not behind another box."""
    free = np.zeros(SIZE, np.bool_)
    x1, y1, x2, y2 = shown[person].round().astype(int)
    free[y1:y2, x1:x2] = True
    for other in np.flatnonzero(boxes[:, 3] > boxes[person, 3]):
        x1, y1, x2, y2 = shown[other].round().astype(int)
        free[y1:y2, x1:x2] = False
    return float(free.sum() / np.prod(boxes[person, 2:] - boxes[person, :2]))


def make_sequence(people: list[Cutout], places: list[NDArray[np.uint8]], seed: int) -> Sequence:
    """Return a scene with people in front of a background."""
    rng = np.random.default_rng(seed)
    chosen = [people[index] for index in rng.choice(len(people), rng.integers(*PEOPLE), replace=False)]
    time = np.arange(FRAMES) / FPS
    boxes = np.empty((FRAMES, len(chosen), 4))
    for index, person in enumerate(chosen):
        middle, near = MOTIONS[(seed + index) % len(MOTIONS)](time, rng)
        height = HEIGHTS[0] + near * (HEIGHTS[1] - HEIGHTS[0])
        width = height * person.pixels.shape[1] / person.pixels.shape[0]
        feet = SIZE[0] - 70 + 65 * near + rng.uniform(-5, 5) + 2 * np.sin(2 * np.pi * time)
        left = middle * SIZE[1] - width / 2
        boxes[:, index] = np.stack([left, feet - height, left + width, feet], axis=1)
    return Sequence(chosen, boxes, places[rng.integers(len(places))], seed)


def free_places(folder: Path) -> list[NDArray[np.uint8]]:
    """Return the largest part of each photo next to its annotated people, if it is large enough."""
    data = json.loads((folder / "person_keypoints_dev.json").read_text())
    places = []
    for photo in data["images"]:
        notes = [note["bbox"] for note in data["annotations"] if note["image_id"] == photo["id"]]
        left = min(x for x, _, _, _ in notes)
        right = max(x + width for x, _, width, _ in notes)
        parts = [(0, int(left)), (int(np.ceil(right)), photo["width"])]
        start, stop = max(parts, key=lambda part: part[1] - part[0])
        if stop - start >= SMALLEST_PLACE:
            pixels = load_image(folder / "images" / photo["file_name"])[:, start:stop]
            rows = min(pixels.shape[0], round(pixels.shape[1] * SIZE[0] / SIZE[1]))
            top = (pixels.shape[0] - rows) // 2
            places.append(cv2.resize(pixels[top : top + rows], SIZE[::-1], interpolation=cv2.INTER_CUBIC))
    return places


def ours(estimator: TopDownEstimator, frames: Frames, every: Every) -> Iterator[Found]:
    """Track people with this package."""
    for frame in VideoPoseEstimator(estimator, every=every, smooth=None).run(frames):
        ids = frame.poses.ids
        yield np.zeros(0, np.int64) if ids is None else ids, frame.poses.boxes.astype(np.float64)


def byte_track(estimator: TopDownEstimator, frames: Frames) -> Iterator[Found]:
    """Track the detector's boxes of every frame with ByteTrack."""
    import supervision as sv  # noqa: PLC0415 (optional)
    from trackers import ByteTrackTracker  # noqa: PLC0415 (optional)

    threshold = estimator.detector.threshold
    tracker = ByteTrackTracker(
        lost_track_buffer=30 * MEMORY_S,  # it counts in thirtieths of a second
        frame_rate=FPS,
        track_activation_threshold=threshold,
        high_conf_det_threshold=threshold,
    )
    for _, image in frames:
        found = estimator.detector(image)
        boxes = sv.Detections(
            xyxy=found.boxes, confidence=found.scores, class_id=np.zeros(len(found), dtype=int)
        )
        tracked = tracker.update(boxes)
        known = tracked.tracker_id >= 0  # -1 is not confirmed
        yield tracked.tracker_id[known].astype(np.int64), tracked.xyxy[known].astype(np.float64)


TRACKERS: dict[str, Callable[[TopDownEstimator, Frames], Iterator[Found]]] = {
    "every=1": lambda estimator, frames: ours(estimator, frames, 1),
    "every=auto": lambda estimator, frames: ours(estimator, frames, "auto"),
    "ByteTrack": byte_track,
}


def measure(sequence: Sequence, found: list[Found]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the CLEAR and the identity metrics of a scene."""
    from trackers.eval import compute_clear_metrics, compute_identity_metrics  # noqa: PLC0415 (optional)

    truth = list(sequence.truth())
    ids, theirs = [ids for ids, _ in truth], [ids for ids, _ in found]
    overlaps = [box_iou(boxes, others) for (_, boxes), (_, others) in zip(truth, found, strict=True)]
    return (
        compute_clear_metrics(ids, theirs, overlaps, MATCHING_IOU),
        compute_identity_metrics(ids, theirs, overlaps, MATCHING_IOU),
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True, help="with person_keypoints_dev.json, images/")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--pose", default=DEFAULT_POSE)
    parser.add_argument("--show", metavar="FILE", help="write the first scene as a video instead")
    options = parser.parse_args()
    people, places = coco_people(options.coco), free_places(options.coco)
    print(f"{len(people)} people, {len(places)} places", flush=True)
    if options.show:
        show(make_sequence(people, places, 0), options.show)
        return
    from trackers.eval import (  # noqa: PLC0415 (optional)
        aggregate_clear_metrics,
        aggregate_identity_metrics,
    )

    results: dict[str, list[tuple[dict[str, float], dict[str, float]]]] = {name: [] for name in TRACKERS}
    with TopDownEstimator(options.detector, options.pose, threads=1) as estimator:
        for seed in range(options.seeds):
            sequence = make_sequence(people, places, seed)
            frames = list(sequence.frames())
            for name, follow in TRACKERS.items():
                results[name].append(measure(sequence, list(follow(estimator, frames))))
            print(seed, *(f"{name} {rows[-1][1]['IDF1']:.3f}" for name, rows in results.items()), flush=True)
    for name, rows in results.items():
        clear = aggregate_clear_metrics([clear for clear, _ in rows])
        identity = aggregate_identity_metrics([identity for _, identity in rows])
        best = sum(
            row[1]["IDF1"] > other[1]["IDF1"] for row, other in zip(rows, results["ByteTrack"], strict=True)
        )
        print(
            f"{name:11} IDF1 {identity['IDF1']:.3f}  MOTA {clear['MOTA']:.3f}  switches {clear['IDSW']:.0f}"
            f"  better IDF1 than ByteTrack in {best} of {len(rows)}"
        )


def show(sequence: Sequence, path: str) -> None:
    """Write a scene with its truth to a video."""
    from pose_onnx.video import VideoWriter  # noqa: PLC0415 (only to view scenes)

    with VideoWriter(path, fps=FPS) as writer:
        for (time, image), (ids, boxes) in zip(sequence.frames(), sequence.truth(), strict=True):
            for person, (x1, y1, x2, y2) in zip(ids.tolist(), boxes.astype(int).tolist(), strict=True):
                cv2.rectangle(image, (x1, y1), (x2, y2), (0, 255, 0), 1)
                cv2.putText(image, str(person), (x1, y1 + 12), cv2.FONT_HERSHEY_PLAIN, 1, (0, 255, 0))
            writer.write(image, time)


if __name__ == "__main__":
    main()
