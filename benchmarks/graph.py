"""Our ONNX graph against the file that paddle2onnx makes from the same weights, on ONNX Runtime.

    python benchmarks/graph.py [CHECKPOINT ...] [--threads 1] [--batches 1 4] [--repeats 200]
        [--avx512] [--json FILE]

The built-in models by default. The runs of both graphs are interleaved, after a warm-up; times are medians
(of the thread's CPU time, with one thread), the ratio is the median of the ratios of neighbouring runs.
Differences are the largest over all outputs, for seeded random input and for the demo photo; `allowed` is the
exporter's own limit (see `exporters/verify.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from plain_export import BUILT_IN, plain_export

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.identity import Identity, resolve_card
from pose_onnx.exporters.passes import FOR_AVX512, FOR_ORT, SIMPLIFY, Pass, rewrite
from pose_onnx.exporters.source import read_source
from pose_onnx.exporters.targets import REFERENCE, candidates
from pose_onnx.exporters.targets.material import Material
from pose_onnx.exporters.trim import trim
from pose_onnx.exporters.verify import make_inputs

WARM_UP: Final = 10
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Line:
    """One comparison; times in ms."""

    model: str
    batch: int
    threads: int
    plain_ms: float
    ours_ms: float
    ratio: float


def session(model: bytes, threads: int) -> Any:
    """Open a graph as the package does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    options.enable_mem_reuse = False  # for the plain file it makes no difference
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(opened: Any, images: F32) -> list[F32]:
    """All outputs for a batch of network inputs."""
    arrays: list[F32] = opened.run(None, {opened.get_inputs()[0].name: images})
    return arrays


def ours(plain: Path, card: ModelCard, passes: Sequence[Pass]) -> bytes:
    """The file that `pose-onnx export` writes, with or without `--avx512`."""
    graph = rewrite(trim(Graph.from_model(onnx.load(plain)), card), SIMPLIFY)
    return next(candidates(REFERENCE, Material(graph, card, passes=passes))).content


def measure(plain: Any, fast: Any, images: F32, threads: int, repeats: int) -> tuple[float, float, float]:
    """Median ms of both, interleaved, and the median of the ratios of neighbours."""
    # A single thread's CPU time does not include time taken by other programs.
    clock = time.thread_time if threads == 1 else time.perf_counter
    times: list[tuple[float, float]] = []
    for _ in range(WARM_UP + repeats):
        start = clock()
        run(plain, images)
        middle = clock()
        run(fast, images)
        times.append((1e3 * (middle - start), 1e3 * (clock() - middle)))
    first, second = zip(*times[WARM_UP:], strict=True)
    return median(first), median(second), median(a / b for a, b in times[WARM_UP:])


def differences(plain: Any, fast: Any, card: ModelCard) -> dict[str, float]:
    """Largest absolute difference, by input and output."""
    return {
        f"{name} {output.name}": float(np.abs(a - b).max())
        for name, images in make_inputs(card, None).items()
        for output, a, b in zip(fast.get_outputs(), run(plain, images), run(fast, images), strict=True)
    }


def compare(
    checkpoint: Path, batches: Sequence[int], threads: int, repeats: int, passes: Sequence[Pass]
) -> list[Line]:
    """Measure one model and print the results."""
    card, _ = resolve_card(read_source(checkpoint), Identity())
    path = plain_export(checkpoint)
    plain, fast = session(path.read_bytes(), threads), session(ours(path, card, passes), threads)
    print(f"{card.name}, threads: {threads}")
    for name, error in differences(plain, fast, card).items():
        print(f"  largest difference, {name}: {error:.2g}")
    lines = []
    for batch in batches:
        images = np.random.default_rng(0).standard_normal((batch, 3, *card.picture.size)).astype(np.float32)
        lines.append(Line(card.name, batch, threads, *measure(plain, fast, images, threads, repeats)))
        print(
            "  batch {batch}: plain {plain_ms:.2f} ms, ours {ours_ms:.2f} ms: {ratio:.2f}x".format(
                **asdict(lines[-1])
            )
        )
    return lines


def main() -> None:
    """Compare every requested model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="*", type=Path, default=list(BUILT_IN.values()))
    parser.add_argument("--threads", type=int, default=1, help="inside one operator")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--avx512", action="store_true", help="as `pose-onnx export --avx512` writes it")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    given = parser.parse_args()
    print(f"onnxruntime {onnxruntime.__version__}, {os.cpu_count()} CPUs")
    passes = FOR_AVX512 if given.avx512 else FOR_ORT
    lines = [
        line
        for checkpoint in given.checkpoints
        for line in compare(checkpoint, given.batches, given.threads, given.repeats, passes)
    ]
    if given.json:
        given.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
