"""The training loop: chain of units next to the teacher, weight average, checkpoints, log."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose_onnx import ModelCard
from training import processes
from training.chain import Features, channel_weights, compare, teacher_features
from training.norm import BatchNorm
from training.predict import folded, round_kernels, to_input
from training.restart import restart_dead
from training.schedule import Schedule, average_into
from training.weights import save_npz

CHECKPOINT: Final = "checkpoint.pt"
STUDENT: Final = "student.npz"
LOG_EVERY: Final = 50  # steps
RECALIBRATION: Final = 40  # batches for the statistics of the averaged weights
SAVE_SECONDS: Final = 240
FIRST_BATCHES: Final = 4  # for the weights of the teacher's channels, and to find dead ones of the student
WEIGHT_DECAY: Final = 1e-4
MAX_GRADIENT: Final = 5.0

_log = logging.getLogger(__name__)


class Task(Protocol):
    """What differs between the keypoint and the person task."""

    @property
    def student(self) -> nn.Module:
        """The network that learns, with its initial weights."""

    @property
    def teacher(self) -> nn.Module:
        """The network that the student learns from."""

    @property
    def card(self) -> ModelCard:
        """Input of the model that student and teacher implement."""

    @property
    def metric(self) -> str:
        """Name of what `evaluate` returns."""

    @property
    def output_weight(self) -> float:
        """Weight of the output's loss; each hint initially has weight 1."""

    def batch(self, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Random augmented training images (N,H,W,3)."""

    def target(self, teacher: nn.Module, image: Tensor, output: Features) -> Features:
        """Target for the last unit, given the teacher's output."""

    def output_loss(self, student: Features, teacher: Features, weights: Features) -> Tensor:
        """Loss between the outputs of the last units, given the weights of their channels."""

    def relevance(self, output: Features) -> Features:
        """How much an error of each number of the teacher's output matters."""

    def evaluate(self, network: nn.Module) -> float:
        """Accuracy of an inference copy of the student, in percent."""


@dataclass(slots=True)
class Progress:
    """Progress of a run."""

    steps: int = 0
    samples: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of a run."""

    out: Path
    batch: int
    minutes: float
    samples: int
    evaluate_minutes: float
    seed: int


class Trainer:
    """One run of one task."""

    def __init__(self, task: Task, schedule: Schedule, options: Options) -> None:
        """Prepare a run that starts with the weights of `task.student`.

        Before a local phase, its dead channels get new kernels.
        """
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.task, self.schedule, self.options = task, schedule, options
        to = {"device": self.device, "memory_format": torch.channels_last}
        self.student: Any = task.student.to(**to).train()
        self.teacher: Any = folded(task.teacher).to(self.device)
        views = self._views(seed := options.seed + 2)
        self.weights = channel_weights(self.teacher, views, task.relevance, seed)
        if schedule.local_until > 0:
            dead = restart_dead(self.student, torch.cat(views), seed)
            _log.info("%d channels of the first weights were dead", dead)
        self.average = copy.deepcopy(self.student)
        self.optimizer = torch.optim.AdamW(_groups(self.student), lr=schedule.peak_rate, fused=True)
        self.progress = Progress()
        self.rng = np.random.default_rng(options.seed)
        options.out.mkdir(parents=True, exist_ok=True)

    def _views(self, seed: int) -> list[Tensor]:
        rng = np.random.default_rng(seed)
        return [self._input(self.task.batch(self.options.batch, rng)) for _ in range(FIRST_BATCHES)]

    def _input(self, images: NDArray[np.uint8]) -> Tensor:
        return to_input(images, self.task.card, self.device)

    # -- checkpoints

    def save(self) -> None:
        """Write the checkpoint atomically."""
        state = {
            "student": self.student.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": {k: getattr(self.progress, k) for k in Progress.__slots__},
            "rng": self.rng.bit_generator.state,
            "torch_rng": torch.get_rng_state(),
        }
        part = self.options.out / f"{CHECKPOINT}.part"
        torch.save(state, part)
        part.replace(self.options.out / CHECKPOINT)

    def resume(self, path: Path) -> None:
        """Continue exactly from a checkpoint of `save`."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])
        self.rng.bit_generator.state = state["rng"]
        torch.set_rng_state(state["torch_rng"].cpu())

    # -- one step

    def position(self) -> float:
        """Share of the run that is done, by its sample or time budget."""
        if self.options.samples:
            return self.progress.samples / self.options.samples
        return self.progress.seconds / (60 * self.options.minutes)

    def step(self) -> dict[str, float]:
        """One batch; returns the losses and settings."""
        position = min(self.position(), 1.0)
        own, rate = self.schedule.own(position), self.schedule.rate(position)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        image = self._input(self.task.batch(self.options.batch, self.rng))
        taught = teacher_features(self.teacher, image)
        learnt, hints = compare(self.student, image, taught, self.weights, own)
        wanted = self.task.target(self.teacher, image, taught[-1])
        output = self.task.output_loss(learnt, wanted, self.weights[-1])
        guide = self.schedule.hints(position) * torch.stack(hints).sum()
        loss = self.task.output_weight * output + guide
        self.optimizer.zero_grad()
        loss.backward()
        processes.average_gradients(self.student.parameters())
        nn.utils.clip_grad_norm_(self.student.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        average_into(self.average, self.student, self.progress.steps)
        names = {f"hint{i}": h.item() for i, h in enumerate(hints)}
        return {"output": output.item(), **names, "rate": rate, "own": own}

    # -- evaluation

    def recalibrated(self) -> nn.Module:
        """A copy of the averaged weights with its own batch-norm statistics, ready for float16."""
        network = copy.deepcopy(self.average).train()
        norms = [m for m in network.modules() if isinstance(m, BatchNorm)]
        for norm in norms:
            norm.reset_running_stats()
        rng = np.random.default_rng(self.options.seed + 1)
        with torch.no_grad():
            for count in range(RECALIBRATION):
                for norm in norms:
                    norm.momentum = 1 / (count + 1)
                network(self._input(self.task.batch(self.options.batch, rng)))
        round_kernels(network)
        return network.eval()

    def evaluate(self) -> None:
        """Write the averaged weights to `student.npz`, and their accuracy to the log."""
        network = self.recalibrated()
        save_npz(network, self.options.out / STUDENT)
        self.log({self.task.metric: self.task.evaluate(folded(network))})

    def log(self, entry: dict[str, float]) -> None:
        """Append a JSON line to the run's log."""
        progress = self.progress
        row = {
            "step": progress.steps,
            "samples": progress.samples,
            "minutes": progress.seconds / 60,
            "cpu_minutes": progress.cpu_seconds / 60,
            **entry,
        }
        with (self.options.out / "log.jsonl").open("a") as file:
            file.write(json.dumps({k: round(v, 6) for k, v in row.items()}) + "\n")

    # -- the run

    def advance(self) -> None:
        """Count one step."""
        self.progress.steps += 1
        self.progress.samples += self.options.batch * processes.count()

    def run(self) -> None:
        """Train until the budget is used up. Only process 0 writes and evaluates; the others wait for it."""
        writes = processes.rank() == 0
        if not writes:
            self.rng = np.random.default_rng([self.options.seed, processes.rank(), self.progress.steps])
        begin, cpu = time.monotonic(), time.process_time()
        before = copy.copy(self.progress)
        saved = evaluated = self.progress.seconds
        sums = Counter[str]()
        while self.position() < 1:
            sums.update(self.step())
            self.advance()
            now = self.progress.seconds = before.seconds + time.monotonic() - begin
            self.progress.cpu_seconds = before.cpu_seconds + (time.process_time() - cpu) * processes.count()
            if not writes:
                continue
            if self.progress.steps % LOG_EVERY == 0:
                self.log({name: value / LOG_EVERY for name, value in sums.items()})
                sums.clear()
            if now - saved > SAVE_SECONDS:
                saved = now
                self.save()
            if now - evaluated > 60 * self.options.evaluate_minutes:
                evaluated = now
                self.evaluate()
        if writes:
            self.save()
            self.evaluate()


def _groups(network: nn.Module) -> list[dict[str, object]]:
    """Weight decay for kernels, none for norms and biases."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
