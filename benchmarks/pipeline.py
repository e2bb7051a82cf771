"""The whole pipeline against plain paddle2onnx files in a pipeline like PaddleDetection's deployment.

    python benchmarks/pipeline.py [--detector CHECKPOINT] [--pose CHECKPOINT] [--image PHOTO]
                                  [--people 1 4 16] [--threads 1] [--repeats 50] [--json FILE]

The built-in models by default. All runs are interleaved after a warm-up, on ONNX Runtime with the same number
of threads. Times are medians; ratios are medians of the ratios within a round. CPU time of all threads is
steadier than wall time on a busy machine, and equivalent for one thread.

The picture is a photo repeated until it holds enough people; both sides detect them with the same threshold.
Images are in memory, because both sides would decode files with the same function. Before anything is timed,
the keypoints must be equal: `preset="paddle"` against the loop, on the same resampled pixels. The networks
alone, plain and ours, show what would be left of each side if everything else took no time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import numpy as np
from graph import ours, session
from overhead import networks
from plain_export import BUILT_IN, plain_export
from reference_loop import BATCH, F64, Image, ReferencePipeline

from pose_onnx import PoseEstimator, load_image
from pose_onnx.bench import gather, machine
from pose_onnx.cards.card import ModelCard
from pose_onnx.core.images import decode_image
from pose_onnx.core.warping import warp
from pose_onnx.exporters.identity import Identity, resolve_card
from pose_onnx.exporters.source import read_source

PHOTO: Final = Path(__file__).parents[1] / "models" / "photos" / "camera.jpg"
POSE, DETECTOR = BUILT_IN.values()
WARM_UP: Final = 3
TOLERANCE: Final = 0.05
"""Pixels, for joints with a score of 0.2 or more: the bar of `tests/parity`."""
JOINT_THRESHOLD: Final = 0.2
LOOP: Final = "plain export, loop"
PLAIN: Final = "plain networks alone"
BARE: Final = "our networks alone"

Contender = Callable[[], object]


def same_warp(pixels: Image, matrix: F64, size: tuple[int, int]) -> Image:
    """Resample as OpenCV 4 did and as we do, which OpenCV 5 does not."""
    region = np.array([0, 0, pixels.shape[1], pixels.shape[0]])
    return warp(pixels, matrix, region, (size[1], size[0]))


def check_equal(estimator: PoseEstimator, loop: ReferencePipeline, image: Image) -> float:
    """Return the largest difference between keypoints, pixels.

    Raises:
        SystemExit: The difference is above the tolerance, or different people are found.
    """
    poses = estimator(image)
    boxes, keypoints = loop(image)
    if len(poses) != len(boxes):
        raise SystemExit(f"{len(poses)} people against {len(boxes)}: the sides do not do the same work")
    partner = np.abs(poses.boxes[:, None] - boxes[None]).sum(axis=2).argmin(axis=1)
    differences = np.abs(poses.keypoints - keypoints[partner, :, :2]).max(axis=2)
    largest = float(differences[poses.scores >= JOINT_THRESHOLD].max(initial=0))
    if not largest <= TOLERANCE:
        raise SystemExit(f"keypoints differ by {largest:.3f} px, the tolerance is {TOLERANCE}")
    return largest


def plain_networks(loop: ReferencePipeline, people: int) -> Contender:
    """Return the network runs that the loop makes for a number of people, on arbitrary input."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((1, 3, *loop.detector_card.picture.size), np.float32)
    crops = rng.standard_normal((people, 3, *loop.pose_card.picture.size), np.float32)
    batches = np.split(crops, range(loop.batch, people, loop.batch))

    def run() -> None:
        loop.detector.run(None, {"image": image})
        for batch in batches:
            loop.pose.run(None, {"image": batch})

    return run


def measure(contenders: Mapping[str, Contender], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Return wall and CPU milliseconds of each contender in each round, interleaved."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for number in range(WARM_UP + repeats):
        for name, run in contenders.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            taken = 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)
            if number >= WARM_UP:
                times[name].append(taken)
    return times


def ratio(first: list[tuple[float, float]], second: list[tuple[float, float]], clock: int) -> float:
    """Return the median over rounds of the first's time divided by the second's."""
    return median(a[clock] / b[clock] for a, b in zip(first, second, strict=True))


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[tuple[dict[str, Path], ReferencePipeline]]:
    """Return our files, as the exporter writes them, and the loop on the plain ones."""
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, Path] = {}
        cards: dict[str, ModelCard] = {}
        plain: dict[str, Path] = {}
        for role in ("detector", "pose"):
            checkpoint = getattr(args, role)
            cards[role], _ = resolve_card(read_source(checkpoint), Identity())
            plain[role] = plain_export(checkpoint)
            files[role] = Path(folder) / f"{role}.onnx"
            files[role].write_bytes(ours(plain[role], cards[role]))
        sessions = [session(path.read_bytes(), args.threads) for path in plain.values()]
        yield files, ReferencePipeline(*sessions, *cards.values(), threshold=0, batch=args.loop_batch)


def compare(
    people: int, files: Mapping[str, Path], loop: ReferencePipeline, args: argparse.Namespace
) -> dict[str, Any]:
    """Measure one number of people, print and return the figures."""
    common = {**files, "threads": args.threads}
    crowd = gather(load_image(args.image), people, common)
    image = decode_image(crowd.jpeg, "crowd")
    loop = replace(loop, threshold=crowd.threshold)
    accurate, paddle = (
        PoseEstimator(**common, preset=preset, threshold=crowd.threshold) for preset in ("accurate", "paddle")
    )
    difference = check_equal(paddle, replace(loop, warp=same_warp), image)
    times = measure(
        {
            LOOP: lambda: loop(image),
            "ours, accurate": lambda: accurate(image),
            "ours, paddle": lambda: paddle(image),
            PLAIN: plain_networks(loop, people),
            BARE: networks(accurate, people),
        },
        args.repeats,
    )
    print(f"{people} people, {image.shape[1]} x {image.shape[0]}, largest difference {difference:.4f} px")
    figures = {name: _figures(own, times) for name, own in times.items()}
    for name, item in figures.items():
        print(
            f"  {name:<20} {item['wall_ms']:7.2f} ms ({item['cpu_ms']:7.2f} CPU);  "
            f"loop / this {item['loop_over_this_wall']:.2f} ({item['loop_over_this_cpu']:.2f});  "
            f"this / our networks {item['this_over_bare_wall']:.2f} ({item['this_over_bare_cpu']:.2f})"
        )
    return {"people": people, "largest_difference_px": difference, "contenders": figures}


def _figures(
    own: list[tuple[float, float]], times: Mapping[str, list[tuple[float, float]]]
) -> dict[str, float]:
    wall, cpu = zip(*own, strict=True)
    return {
        "wall_ms": median(wall),
        "cpu_ms": median(cpu),
        "loop_over_this_wall": ratio(times[LOOP], own, 0),
        "loop_over_this_cpu": ratio(times[LOOP], own, 1),
        "this_over_bare_wall": ratio(own, times[BARE], 0),
        "this_over_bare_cpu": ratio(own, times[BARE], 1),
    }


def main() -> None:
    """Compare for each number of people."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--detector", type=Path, default=DETECTOR, help=".pdparams or .npz file (default: the built-in one)")
    add("--pose", type=Path, default=POSE, help="likewise")
    add("--image", type=Path, default=PHOTO, help="a photo with people")
    add("--people", type=int, nargs="+", default=[1, 4, 16])
    add("--threads", type=int, default=1)
    add("--repeats", type=int, default=50)
    add("--loop-batch", type=int, default=BATCH, help="people in one run of the loop's network")
    add("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    cv2.setNumThreads(args.threads)
    before = machine()
    print(f"{before['cpu']}, load before {before['load_average']}, threads: {args.threads}")
    with opened(args) as (files, loop):
        results = [compare(people, files, loop, args) for people in args.people]
    if args.json:
        document = {"machine": before, "threads": args.threads, "results": results}
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
