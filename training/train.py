"""Command line of the training: `python -m training.train pose|detector ...`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from training.detector_task import DetectorTask
from training.distill import CHECKPOINT, Options, Task, Trainer
from training.evaluate_detector import DetectorBenchmark
from training.evaluate_pose import PoseBenchmark
from training.pose_task import PoseTask
from training.schedule import Schedule
from training.weights import load_npz, save_npz

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

POSE_SIZES: Final = {"128x96": (96, 128), "256x192": (192, 256)}  # name: (width, height)
DETECTOR_SIZES: Final = {"192": 192, "320": 320}
ANNOTATIONS: Final = "person_keypoints_dev.json"


def pose_task(args: argparse.Namespace) -> Task:
    """The keypoint task of the given size."""
    size = POSE_SIZES[args.size]
    dev = args.benchmark
    benchmark = dev and PoseBenchmark(dev / ANNOTATIONS, dev / "images", size)
    return PoseTask(size, args.data, args.teacher, benchmark, flip=args.flip, fine=args.fine)


def detector_task(args: argparse.Namespace) -> Task:
    """The person task of the given size."""
    size = DETECTOR_SIZES[args.size]
    dev = args.benchmark
    benchmark = dev and DetectorBenchmark(dev / ANNOTATIONS, dev / "images", size)
    return DetectorTask(size, args.data, args.teacher, benchmark)


TASKS: Final[dict[str, tuple[Callable[[argparse.Namespace], Task], Iterable[str]]]] = {
    "pose": (pose_task, POSE_SIZES),
    "detector": (detector_task, DETECTOR_SIZES),
}


def parser() -> argparse.ArgumentParser:
    """All options."""
    top = argparse.ArgumentParser(prog="training.train", description=__doc__)
    tasks = top.add_subparsers(dest="task", required=True)
    for name, (_, sizes) in TASKS.items():
        task = tasks.add_parser(name)
        task.add_argument("--size", choices=sorted(sizes), required=True)
        task.add_argument("--data", type=Path, required=True, help="folder of training.crops")
        task.add_argument("--teacher", type=Path, required=True, help="official weights, .npz")
        task.add_argument("--out", type=Path, required=True, help="folder of this run")
        task.add_argument("--benchmark", type=Path, help="COCO photos to measure on, never train")
        task.add_argument("--minutes", type=float, default=60, help="length of the schedule")
        task.add_argument("--samples", type=int, default=0, help="length in samples instead")
        task.add_argument("--batch", type=int, default=16)
        task.add_argument("--rate", type=float, default=1e-2, help="largest learning rate")
        task.add_argument("--local", type=float, default=0.15, help="share fed by the teacher only")
        task.add_argument("--own", type=float, default=0.35, help="share after which not at all")
        task.add_argument("--evaluate-minutes", type=float, default=10)
        task.add_argument("--threads", type=int, default=1)
        task.add_argument("--seed", type=int, default=1)
        task.add_argument("--from", dest="start", type=Path, help="weights (.npz) to start with")
    pose = tasks.choices["pose"]
    pose.add_argument("--flip", action="store_true", help="mirror-averaged teacher")
    pose.add_argument("--fine", action="store_true", help="more cuts, for the start of a run")
    return top


def main() -> None:
    """Train, or continue the run that `--out` holds, and write `student.npz`."""
    args = parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    make, _ = TASKS[args.task]
    options = Options(
        out=args.out,
        batch=args.batch,
        minutes=args.minutes,
        samples=args.samples,
        evaluate_minutes=args.evaluate_minutes,
        seed=args.seed,
    )
    task = make(args)
    if args.start:
        load_npz(task.student, args.start)
    trainer = Trainer(task, Schedule(args.rate, args.local, args.own), options)
    if (args.out / CHECKPOINT).exists():
        trainer.resume(args.out / CHECKPOINT)
    trainer.run()
    save_npz(trainer.recalibrated(), args.out / "student.npz")


if __name__ == "__main__":
    main()
