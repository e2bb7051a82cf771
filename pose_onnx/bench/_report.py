"""A measurement as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pose_onnx.bench._measure import Run

SCHEMA: Final = "pose_onnx.bench/1"
"""Bumped when a field is removed or redefined; new fields may come without."""
_MS: Final = 1e3


@dataclass(frozen=True, slots=True)
class Column:
    """One setting and what it took.

    Attributes:
        backend: Name of the engine.
        threads: Threads that it was given.
        run: Times and people.
        pictures: How many pictures a round had.
        peak_memory_mb: Of a process that does nothing else; `None` where nobody says.
    """

    backend: str
    threads: int
    run: Run
    pictures: int
    peak_memory_mb: float | None

    @property
    def people_per_second(self) -> float:
        """People of all pictures over the time of all pictures."""
        return _MS * self.run.people / (self.run.total.median * self.pictures)


def report(
    settings: Mapping[str, Any], columns: Sequence[Column], skipped: Mapping[str, str] | None = None
) -> str:
    """Return a measurement as JSON text.

    The document: `schema`; what `settings` holds (the command line writes `machine`, `versions`, `models`,
    `preset`, `flip`, `threshold`, `pictures`, `warm_up`, `repeat`); `runs`, each with `backend`,
    `threads`, `people`, `people_per_second`, `peak_memory_mb` (null where the system does not say), and, each
    with `median`, `lower` and `upper` quartile in milliseconds a picture, `stages` by name and `total`;
    `skipped`, each with `backend` and `reason`.
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
