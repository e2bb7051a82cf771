"""What `pose-onnx bench` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pose_onnx.bench import STAGES, Column, Quartiles
from pose_onnx.cli._tables import table


def as_text(settings: Mapping[str, Any], columns: Sequence[Column], skipped: Mapping[str, str]) -> str:
    """Return a measurement as text: what was measured, one column per setting, and what was left out."""
    return "\n".join([table(list(_head(settings))), "", table(list(_rows(columns))), *_left_out(skipped)])


def _head(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    machine, models = settings["machine"], settings["models"]
    load = machine["load_average"]
    busy = "" if load is None else f", load before {load:.1f}"
    yield "machine", f"{machine['cpu']}, {machine['usable_cores']} of {machine['cores']} cores{busy}"
    yield "versions", ", ".join(f"{name} {number}" for name, number in settings["versions"].items())
    if "detector" in models:
        yield "detector", models["detector"]
    yield "pose", f"{models['pose']}{' with flip' if settings['flip'] else ''}"
    yield "preset", settings["preset"]
    for picture in settings["pictures"]:
        yield "picture", f"{picture['path']}, {picture['width']} x {picture['height']}"
    yield "rounds", f"{settings['repeat']} after {settings['warm_up']} to warm up, engines interleaved"


def _rows(columns: Sequence[Column]) -> Iterator[tuple[str, ...]]:
    yield "MS A PICTURE, MEDIAN (QUARTILES)", *(f"{column.backend}, {_threads(column)}" for column in columns)
    for stage in STAGES:
        yield stage, *(_text(column.run.stages[stage]) for column in columns)
    yield "total", *(_text(column.run.total) for column in columns)
    yield "people", *(str(column.run.people) for column in columns)
    yield "people a second", *(f"{column.people_per_second:.1f}" for column in columns)
    yield "peak memory, MB", *(_megabytes(column.peak_memory_mb) for column in columns)


def _left_out(skipped: Mapping[str, str]) -> Iterator[str]:
    yield from (f"not measured: {backend}: {reason}" for backend, reason in skipped.items())


def _threads(column: Column) -> str:
    return f"{column.threads} thread{'' if column.threads == 1 else 's'}"


def _text(taken: Quartiles) -> str:
    return f"{taken.median:.2f} ({taken.lower:.2f} to {taken.upper:.2f})"


def _megabytes(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.0f}"
