"""Command line of the training: `python -m training.train pose|detector ...`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import torch

from pose_onnx import ModelCard, load_card
from training import processes
from training.detector_task import DetectorTask
from training.distill import CHECKPOINT, Options, Task, Trainer
from training.evaluate import Benchmark
from training.pose_task import PoseTask
from training.schedule import Schedule
from training.weights import load_npz

# size: name of the official model, which is the teacher
POSE_MODELS: Final = {"128x96": "tinypose_128x96", "256x192": "tinypose_256x192"}
DETECTOR_MODELS: Final = {"192": "picodet_s_192_lcnet_pedestrian", "320": "picodet_s_320_lcnet_pedestrian"}


def pose_task(args: argparse.Namespace) -> Task:
    """The keypoint task of the given size."""
    card = load_card(POSE_MODELS[args.size])
    return PoseTask(card, args.data, args.teacher, _benchmark(args, card), flip=args.flip, fine=args.fine)


def detector_task(args: argparse.Namespace) -> Task:
    """The person task of the given size."""
    card = load_card(DETECTOR_MODELS[args.size])
    return DetectorTask(card, args.data, args.teacher, _benchmark(args, card), natural=args.natural)


def _benchmark(args: argparse.Namespace, card: ModelCard) -> Benchmark | None:
    return Benchmark(args.benchmark, card) if args.benchmark else None


TASKS: Final[dict[str, tuple[Callable[[argparse.Namespace], Task], Iterable[str]]]] = {
    "pose": (pose_task, POSE_MODELS),
    "detector": (detector_task, DETECTOR_MODELS),
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
        task.add_argument("--threads", type=int, default=1, help="of each process")
        task.add_argument("--processes", type=int, default=1, help="each computes its own batches")
        task.add_argument("--seed", type=int, default=1)
        task.add_argument("--from", dest="start", type=Path, help="weights (.npz) to start with")
    pose = tasks.choices["pose"]
    pose.add_argument("--flip", action="store_true", help="mirror-averaged teacher")
    pose.add_argument("--fine", action="store_true", help="more cuts, for the start of a run")
    detector = tasks.choices["detector"]
    detector.add_argument("--natural", action="store_true", help="nearly whole photos, for the end of a run")
    return top


def train(args: argparse.Namespace) -> None:
    """Train, or continue the run in `--out`."""
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


def main() -> None:
    """Command line."""
    options = parser()
    args = options.parse_args()
    if args.processes > 1 and not args.samples:
        options.error("--processes needs --samples, because the processes' clocks differ")
    processes.run(train, args, args.processes)


if __name__ == "__main__":
    main()
