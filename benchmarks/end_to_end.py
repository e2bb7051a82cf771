"""End-to-end ONNX files against the core with the same networks: time and equality.

    OMP_NUM_THREADS=1 python benchmarks/end_to_end.py [--detector NAME.onnx] [--pose NAME.onnx] [PHOTO ...]

One thread, interleaved, medians of the thread's CPU time after a warm-up. The networks alone are measured
too; the time above them is the cost of handling pictures and boxes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import numpy as np
import onnx
import onnxruntime

from pose_onnx import Detector, KeypointModel, load_image, read_card
from pose_onnx.exporters.end_to_end import assemble
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from pose_onnx.poses import JOINT_THRESHOLD

MODELS: Final = Path(__file__).parents[1] / "models"
REPEATS: Final = 25
PEOPLE: Final = (1, 4)


def session(model: bytes) -> Any:
    """Open a model on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def wrap(network: Path) -> Any:
    """Open the end-to-end file of a network."""
    return session(assemble(onnx.load(network), read_card(network)).SerializeToString())


def measure(functions: list[Callable[[], object]]) -> list[float]:
    """Return the median milliseconds of each, interleaved."""
    times: list[list[float]] = [[] for _ in functions]
    for repeat in range(REPEATS + 2):
        for function, own in zip(functions, times, strict=True):
            start = time.thread_time()
            function()
            if repeat >= 2:  # noqa: PLR2004 (warm-up)
                own.append(1e3 * (time.thread_time() - start))
    return [median(own) for own in times]


def show(what: str, times: list[float]) -> None:
    """Print one line."""
    whole, core, network = times
    ratios = f"{whole / core:.2f} x the core, {whole / network:.2f} x the network"
    print(f"{what}: end to end {whole:.1f} ms, {ratios}")


def main() -> None:
    """Print times and the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", type=Path, default=MODELS / f"{DEFAULT_DETECTOR}.onnx")
    parser.add_argument("--pose", type=Path, default=MODELS / f"{DEFAULT_POSE}.onnx")
    parser.add_argument("photos", nargs="*", default=sorted((MODELS / "photos").glob("*.jpg")))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    detector, pose = Detector(args.detector, threads=1), KeypointModel(args.pose, threads=1)
    detector.select_people()
    find, read = wrap(args.detector), wrap(args.pose)

    pictures = [load_image(photo) for photo in args.photos]
    bgr = pictures[0]
    rgb = np.ascontiguousarray(bgr[:, :, ::-1])
    height, width, _ = rgb.shape
    networks = {path: session(path.read_bytes()) for path in (args.detector, args.pose)}
    tensor = np.zeros((1, 3, *detector.card.picture.size), np.float32)
    show(
        "detector",
        measure(
            [
                lambda: find.run(None, {"image": rgb}),
                lambda: detector(bgr),
                lambda: networks[args.detector].run(None, {"image": tensor}),
            ]
        ),
    )
    for people in PEOPLE:
        boxes = np.tile(
            np.array([[0.2 * width, 0.1 * height, 0.6 * width, 0.9 * height]], np.float32), (people, 1)
        )
        crops = np.zeros((people, 3, *pose.card.picture.size), np.float32)
        functions: list[Callable[[], object]] = [
            lambda boxes=boxes: read.run(None, {"image": rgb, "boxes": boxes}),  # type: ignore[misc]
            lambda boxes=boxes: pose(bgr, boxes),  # type: ignore[misc]
            lambda crops=crops: networks[args.pose].run(None, {"image": crops}),  # type: ignore[misc]
        ]
        show(f"keypoints of {people}", measure(functions))

    worst = {"boxes": 0.0, "box scores": 0.0, "keypoints": 0.0, "scores": 0.0}
    count, other = 0, 0
    for picture in pictures:
        image = np.ascontiguousarray(picture[:, :, ::-1])
        expected, (boxes, scores) = detector(picture), find.run(None, {"image": image})
        count += len(boxes)
        if len(expected) == len(boxes):
            worst["boxes"] = max(worst["boxes"], np.abs(boxes - expected.boxes).max(initial=0))
            worst["box scores"] = max(worst["box scores"], np.abs(scores - expected.scores).max(initial=0))
        else:
            other += 1
        poses, (points, heights) = pose(picture, boxes), read.run(None, {"image": image, "boxes": boxes})
        sure = poses.scores >= JOINT_THRESHOLD
        worst["keypoints"] = max(worst["keypoints"], np.abs(points - poses.keypoints)[sure].max(initial=0))
        worst["scores"] = max(worst["scores"], np.abs(heights - poses.scores).max(initial=0))
    print(f"{len(pictures)} photos, {count} people, {other} photos with another number of people")
    print("largest differences:", ", ".join(f"{name} {value:.2g}" for name, value in worst.items()))


if __name__ == "__main__":
    main()
