"""Measure estimators on the same pictures, interleaved."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from pose_onnx.bench._machine import peak_memory_mb
from pose_onnx.bench._stages import STAGES, StageClock, watched
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.pose_model import PoseModel

WARM_UP: Final = 3
"""Rounds that do not count, because engines allocate memory and choose kernels in their first runs."""
_PAUSE: Final = 0.01
"""Seconds between two runs: an engine's threads keep spinning after a run, which disturbs the next engine."""
_MEMORY_RUNS: Final = 3
_MS: Final = 1e3


class Quartiles(NamedTuple):
    """Median and quartiles of some numbers."""

    median: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Run:
    """The measurement of one setting.

    Attributes:
        people: How many were found in all pictures together.
        stages: Milliseconds per picture, for each of `STAGES`; in each round they add up to the total.
        total: Milliseconds per picture.
    """

    people: int
    stages: Mapping[str, Quartiles]
    total: Quartiles


def measure(models: Sequence[PoseModel], pictures: Sequence[Path], repeat: int) -> list[Run]:
    """Run each model on all pictures, interleaved, again and again.

    Args:
        models: What to compare.
        pictures: Files; they are read again in each round.
        repeat: Number of rounds that count.

    Returns:
        One measurement per model.
    """
    clock = StageClock()
    rounds: list[list[dict[str, float]]] = [[] for _ in models]
    people = [0] * len(models)
    with watched(clock, models):
        for number in range(WARM_UP + repeat):
            for index, model in enumerate(models):
                time.sleep(_PAUSE)
                seconds, people[index] = clock.split(partial(_count_people, model, pictures))
                if number >= WARM_UP:
                    rounds[index].append(seconds)
    return [_summary(people[index], taken, len(pictures)) for index, taken in enumerate(rounds)]


def _count_people(model: PoseModel, pictures: Sequence[Path]) -> int:
    return sum(len(model(path)) for path in pictures)


def _summary(people: int, rounds: Sequence[Mapping[str, float]], pictures: int) -> Run:
    stages = {stage: quartiles([_MS * taken[stage] / pictures for taken in rounds]) for stage in STAGES}
    return Run(people, stages, quartiles([_MS * sum(taken.values()) / pictures for taken in rounds]))


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return median and quartiles."""
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    return Quartiles(float(median), float(lower), float(upper))


def memory_of(arguments: Mapping[str, Any], pictures: Sequence[Path]) -> float | None:
    """Return the peak memory, MB, of a separate process that runs a model on some pictures.

    Args:
        arguments: Arguments of `PoseEstimator`.
        pictures: What it runs on.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run_and_weigh, dict(arguments), list(pictures)).result()


def _run_and_weigh(arguments: dict[str, Any], pictures: list[Path]) -> float | None:
    with PoseEstimator(**arguments) as model:
        for path in pictures * _MEMORY_RUNS:
            model(path)
    return peak_memory_mb()
