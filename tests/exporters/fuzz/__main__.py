"""Passes on as many random models as asked for.

python -m tests.exporters.fuzz [--count 20000] [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Final

from tests.exporters.fuzz.passes import failures

SHOWN: Final = 20


def main() -> int:
    """Try every seed; print the failures, and how many there were. Exit code 1 if any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="how many models")
    parser.add_argument("--seed", type=int, default=0, help="of the first model; the others follow")
    given = parser.parse_args()
    wrong, kinds = 0, Counter[str]()
    for seed in range(given.seed, given.seed + given.count):
        found = failures(seed)
        wrong += bool(found)
        for failure in found:
            kinds[failure.passes[-1]] += 1
            if kinds.total() <= SHOWN:
                print(failure, flush=True)  # noqa: T201 (a command)
    print(f"{given.count} models, {wrong} with failures: {dict(kinds)}")  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
