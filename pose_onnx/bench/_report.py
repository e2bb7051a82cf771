"""A measurement as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pose_onnx.bench._measure import Run

SCHEMA: Final = "pose_onnx.bench/1"
"""Bumped when a field is removed or redefined, but not for new fields."""
_MS: Final = 1e3


@dataclass(frozen=True, slots=True)
class Column:
    """One setting and its measurement.

    Attributes:
        backend: Name of the engine.
        threads: Number of threads it was given.
        run: Times and people.
        pictures: Number of pictures in a round.
        peak_memory_mb: Of a process that does nothing else; `None` if the system does not report it.
    """

    backend: str
    threads: int
    run: Run
    pictures: int
    peak_memory_mb: float | None

    @property
    def people_per_second(self) -> float:
        """People in all pictures, divided by the time for all pictures."""
        return _MS * self.run.people / (self.run.total.median * self.pictures)


def report(
    settings: Mapping[str, Any], columns: Sequence[Column], skipped: Mapping[str, str] | None = None
) -> str:
    """Return a measurement as JSON text.

    The document has `schema`; the contents of `settings` (the command line writes `machine`, `versions`,
    `models`, `preset`, `flip`, `threshold`, `pictures`, `warm_up`, `repeat`); `runs`, each with `backend`,
    `threads`, `people`, `people_per_second`, `peak_memory_mb` (null if the system does not report it),
    `stages` by name and `total`; and `skipped`, each with `backend` and `reason`. Each stage and the total
    have `median`, `lower` and `upper` quartile in milliseconds per picture.
    """
    document = {
        "schema": SCHEMA,
        **settings,
        "runs": [_run(column) for column in columns],
        "skipped": [{"backend": name, "reason": reason} for name, reason in (skipped or {}).items()],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _run(column: Column) -> dict[str, Any]:
    return {
        "backend": column.backend,
        "threads": column.threads,
        "people": column.run.people,
        "people_per_second": column.people_per_second,
        "peak_memory_mb": column.peak_memory_mb,
        "stages": {stage: taken._asdict() for stage, taken in column.run.stages.items()},
        "total": column.run.total._asdict(),
    }
