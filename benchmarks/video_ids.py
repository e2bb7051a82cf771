"""How well ids are kept when people cross or are hidden: ours against ByteTrack.

    OMP_NUM_THREADS=1 python -m benchmarks.video_ids [--seeds 10] [--coco DIR --detector M --pose M]

Without --coco, it uses the two people of the demo photos. ByteTrack comes from `pip install trackers` (not a
dependency; supervision, which used to contain it, refers to that package). It gets the same detector's boxes
for every frame, and remembers people as long as ours does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.video_scene import (
    Cutout,
    Scene,
    behind_a_pillar,
    coco_people,
    crossing,
    demo_people,
    ids_of,
    overlapping_ids,
)
from pose_onnx import TopDownEstimator
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from pose_onnx.video import Every, VideoPoseEstimator

MEMORY_S = 3

Ids: TypeAlias = NDArray[np.int64]

SCENES: dict[str, Callable[[list[Cutout], int], Scene]] = {
    "2-cross": crossing,
    "3-cross": lambda people, seed: crossing(people, seed, count=3),
    "hidden": behind_a_pillar,
}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--coco", type=Path, help="folder with person_keypoints_dev.json and images/")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--pose", default=DEFAULT_POSE)
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--trackers", nargs="+", choices=TRACKERS, default=list(TRACKERS))
    options = parser.parse_args()
    people = coco_people(options.coco) if options.coco else demo_people()
    estimator = TopDownEstimator(options.detector, options.pose, threads=1)
    for scene in options.scenes:
        for tracker in options.trackers:
            ids = (TRACKERS[tracker](estimator, SCENES[scene](people, seed)) for seed in range(options.seeds))
            kept = [are_kept(np.array(list(of_scene))) for of_scene in ids]
            wrong = [seed for seed, good in enumerate(kept) if not good]
            print(
                f"{scene:8} {tracker:10} ids kept in {sum(kept)} of {len(kept)}, not in {wrong}", flush=True
            )


def ours(estimator: TopDownEstimator, scene: Scene, every: Every) -> Iterator[Ids]:
    """Yield (N,) for each frame: the id of each true person, 0 for none."""
    for frame in VideoPoseEstimator(estimator, every=every, smooth=None).run(scene.frames()):
        yield ids_of(scene, frame.index, frame.poses)


def byte_track(estimator: TopDownEstimator, scene: Scene) -> Iterator[Ids]:
    """Yield ByteTrack's ids on the detector's boxes, frame by frame."""
    import supervision as sv  # noqa: PLC0415 (optional)
    from trackers import ByteTrackTracker  # noqa: PLC0415 (optional)

    threshold = estimator.detector.threshold
    tracker = ByteTrackTracker(
        lost_track_buffer=30 * MEMORY_S,
        frame_rate=scene.fps,
        track_activation_threshold=threshold,
        high_conf_det_threshold=threshold,
    )
    for index, (_, image) in enumerate(scene.frames()):
        found = estimator.detector(image)
        boxes = sv.Detections(
            xyxy=found.boxes, confidence=found.scores, class_id=np.zeros(len(found), dtype=int)
        )
        tracked = tracker.update(boxes)
        yield overlapping_ids(scene, index, tracked.xyxy, tracked.tracker_id + 1)  # -1 is unconfirmed


def are_kept(ids: Ids) -> bool:
    """Say whether everyone has the same id in the last quarter as in the first, and a different id each."""
    quarter = len(ids) // 4
    before, after = (most_frequent(part) for part in (ids[:quarter], ids[-quarter:]))
    return before == after and 0 not in before and len(set(before)) == len(before)


def most_frequent(ids: Ids) -> list[int]:
    """Return the id that each person has most often; 0 if none has one."""
    return [int(np.bincount(column[column > 0]).argmax()) if column.any() else 0 for column in ids.T]


TRACKERS: dict[str, Callable[[TopDownEstimator, Scene], Iterator[Ids]]] = {
    "auto": lambda estimator, scene: ours(estimator, scene, "auto"),
    "every-8": lambda estimator, scene: ours(estimator, scene, 8),
    "ByteTrack": byte_track,
}


if __name__ == "__main__":
    main()
