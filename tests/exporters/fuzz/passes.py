"""Passes on random models: what they compute stays the same, alone and together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.passes import FOR_AVX512, SIMPLIFY, Pass, rewrite
from pose_onnx.exporters.passes.freeze_shapes import FREEZE_SHAPES
from pose_onnx.exporters.passes.halve_weights import HALVE_WEIGHTS
from tests.exporters.fuzz.blocks import BLOCKS, Blocks
from tests.exporters.fuzz.graphs import random_feeds, random_model
from tests.exporters.fuzz.net import IMAGE

ALL: Final = (*SIMPLIFY, *FOR_AVX512)
PREPARED: Final = SIMPLIFY[:3]
"""Constants in place and batch free: what the other passes are written for."""
TOLERANCE: Final = 1e-4
"""Of the largest value (or of 1): sums in other orders differ by about 1e-6, a wrong graph by about 1."""

Images = NDArray[np.float32]
Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Failure:
    """What was wrong with one model after some passes."""

    seed: int
    passes: tuple[str, ...]
    problem: str

    def __str__(self) -> str:
        return f"seed {self.seed}: {', '.join(self.passes)}: {self.problem}"


def failures(seed: int, table: Blocks = BLOCKS) -> list[Failure]:
    """Run the passes on one random model in every way; return what went wrong.

    Each pass alone, on what was read and on what was prepared; all in order; all in some other order.
    """
    model = random_model(seed, table=table)
    graph = Graph.from_model(model)
    free = any(isinstance(size, str) for size in graph.inputs[0].shape[1:])
    steps = [step for step in ALL if not (free and step is FREEZE_SHAPES)]  # it needs sizes
    trial = _Trial(seed, graph, np.concatenate([random_feeds(model, seed + n)[IMAGE] for n in range(2)]))
    for step in [*steps, HALVE_WEIGHTS]:
        trial.run(graph, [step])
    prepared = trial.run(graph, [step for step in PREPARED if step in steps])
    for step in [step for step in [*steps, HALVE_WEIGHTS] if step not in PREPARED]:
        trial.run(prepared, [step])
    trial.run(graph, steps)
    trial.run(graph, [steps[place] for place in np.random.default_rng(seed).permutation(len(steps))])
    return trial.failures


class _Trial:
    """What one model computes, and what was wrong with it after passes."""

    def __init__(self, seed: int, graph: Graph, images: Images) -> None:
        self.failures: list[Failure] = []
        self._seed = seed
        self._images = images
        self._expected = run(graph, images)

    def run(self, graph: Graph, passes: Sequence[Pass]) -> Graph:
        """Run passes; return the new graph, or the old one if they fail."""
        try:
            after = rewrite(graph, passes, strict=True)
            problem = "" if _same(graph, after) else self._compare(after)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a failure)
            after, problem = graph, f"{type(error).__name__}: {error}"
        if problem:
            self.failures.append(Failure(self._seed, tuple(step.name for step in passes), problem))
        return after

    def _compare(self, after: Graph) -> str:
        found = run(after, self._images)
        problems = [_difference(name, array, found[name]) for name, array in self._expected.items()]
        return "; ".join(filter(None, problems))


def _same(graph: Graph, other: Graph) -> bool:
    return (
        graph.nodes == other.nodes
        and graph.constants.keys() == other.constants.keys()
        and graph.inputs == other.inputs
    )


def _difference(name: str, expected: NDArray[Any], found: NDArray[Any]) -> str:
    if expected.shape != found.shape:
        return f"{name} is {found.shape} instead of {expected.shape}"
    error = np.abs(found - expected).max() if expected.size else 0.0
    bar = TOLERANCE * max(1.0, np.abs(expected).max())
    return "" if error <= bar else f"{name} is off by {error:.3g}"


def run(graph: Graph, images: Images) -> Outputs:
    """Run a graph with ONNX Runtime as it stands, without any optimisation; one by one if it must be."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        graph.to_model().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    batches = [images] if isinstance(graph.inputs[0].shape[0], str) else np.split(images, len(images))
    runs = [session.run(names, {IMAGE: batch}) for batch in batches]
    return {name: np.concatenate(arrays) for name, arrays in zip(names, zip(*runs, strict=True), strict=True)}
