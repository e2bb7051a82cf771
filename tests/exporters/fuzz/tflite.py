"""Random networks through the TFLite lowering, against ONNX Runtime as the graph stands.

`python -m tests.exporters.fuzz.tflite [GRAPHS [FIRST_SEED]]` tries many, each in a process with limits.
"""

from __future__ import annotations

import sys
from collections import Counter

from ai_edge_litert.interpreter import OpResolverType

from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.tflite import DisparityError, convert, demand_parity, expect
from tests.exporters.fuzz.blocks import BLOCKS, Blocks
from tests.exporters.fuzz.graphs import random_model
from tests.fuzz.child import run_cases


def check(seed: int, table: Blocks = BLOCKS) -> None:
    """Lower the random model of a seed, which compares the results, and try the reference kernels as well.

    Raises:
        AssertionError: The file computes something else than ONNX Runtime.
        ExportError: The lowering refuses the model.
    """
    model = random_model(seed, free_sizes=False, table=table)
    try:
        demand_parity(expect(Graph.from_model(model)), convert(model), resolvers=[OpResolverType.BUILTIN_REF])
    except DisparityError as error:
        raise AssertionError(f"seed {seed}: {error}") from error


def read_seed(case: bytes) -> None:
    """`check` for the child process."""
    check(int(case))


def main() -> int:
    """Try many seeds; print what fails, and why how many were refused."""
    numbers = [int(argument) for argument in sys.argv[1:]]
    graphs, first = (*numbers, *(20_000, 0)[len(numbers) :])
    seeds = range(first, first + graphs)
    refused: Counter[str] = Counter()
    failed = 0
    verdicts = run_cases("tests.exporters.fuzz.tflite:read_seed", (str(seed).encode() for seed in seeds))
    for seed, verdict in zip(seeds, verdicts, strict=True):
        if verdict.failure:
            failed += 1
            print(f"seed {seed}: {verdict.failure}", flush=True)  # noqa: T201
        elif verdict.refusal:
            refused[verdict.refusal.partition("(")[2].partition(";")[0]] += 1
        if (seed + 1) % 1_000 == 0:
            print(f"up to seed {seed}: {failed} failed", flush=True)  # noqa: T201
    print(f"{graphs} graphs, {refused.total()} refused, {failed} failed")  # noqa: T201
    for reason, count in refused.most_common():
        print(f"{count:6d}  ({reason}")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
