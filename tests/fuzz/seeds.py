"""Fuzzers whose cases are numbers: a few in the suite, many by command."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from tests.fuzz.child import Verdict, run_cases

MANY: Final = 20_000


def verdicts(reader: str, seeds: Iterable[int]) -> Iterator[tuple[int, Verdict]]:
    """Yield each seed with what became of it."""
    seeds = list(seeds)
    yield from zip(seeds, run_cases(reader, (b"%d" % seed for seed in seeds)), strict=True)


def try_many(reader: str) -> int:
    """Try as many seeds as the command line says, print what fails, and return the exit code."""
    numbers = [int(argument) for argument in sys.argv[1:]]
    total, first = (*numbers, *(MANY, 0)[len(numbers) :])
    failed = refused = 0
    for seed, verdict in verdicts(reader, range(first, first + total)):
        refused += bool(verdict.refusal)
        if verdict.failure:
            failed += 1
            print(f"seed {seed}: {verdict.failure}", flush=True)  # noqa: T201 (a command)
    print(f"{total} cases, {refused} refused, {failed} failed")  # noqa: T201
    return min(failed, 1)
