"""A batch job: what is left to do, and how it went."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pose_onnx.cards.lookup import is_known_name
from pose_onnx.errors import InputError
from pose_onnx.folders import Skipped
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.ray._engine import ray
from pose_onnx.ray._parts import Counts, ResultFolder
from pose_onnx.ray._places import find_items, find_place
from pose_onnx.ray._session import ray_session
from pose_onnx.ray._workers import Workers
from pose_onnx.runtimes import default_threads

SCHEMA_NAME: Final = "pose_onnx.batch/1"
"""Increased when a column is redefined or removed; new columns do not change it."""


_MODELS: Final = frozenset({"detector", "pose", "detector_card", "pose_card"})
"""Options that may be paths. Other options are never treated as paths."""


@dataclass(frozen=True, slots=True)
class Report:
    """The progress or outcome of a job.

    Attributes:
        total: Items not done by an earlier job.
        done: Items of these that are done now.
        people: People found in them: per picture, and per video by id.
        failed: Items of these with an error in the table.
        before: Items that an earlier job finished and this one skipped.
        failed_before: How many of those have an error.
        skipped: Description of other files in the folders; empty if there are none.
    """

    total: int
    before: int
    failed_before: int
    done: int = 0
    people: int = 0
    failed: int = 0
    skipped: str = ""

    def plus(self, counts: Counts) -> Report:
        """Return the report with one more part done."""
        return replace(
            self,
            done=self.done + counts.items,
            people=self.people + counts.people,
            failed=self.failed + counts.failed,
        )


Progress = Callable[[Report], None]
"""Called before the first part, and after each."""


def run_batch(
    inputs: Sequence[str],
    out: str,
    *,
    workers: int | None = None,
    threads: int = 1,
    address: str | None = None,
    retry_failed: bool = False,
    recursive: bool = False,
    progress: Progress = lambda _: None,
    **options: Any,
) -> Report:
    """Find the people in many pictures and videos on many workers, and write Parquet files of the rows.

    Items that have rows in the folder are not processed again, so a stopped job continues where it ended.
    Only one job at a time may use a folder.

    Args:
        inputs: Paths and addresses of pictures, videos and folders of them.
        out: Path or address of the folder for the results.
        workers: Processes, each with its own models; as many as the CPUs allow when `None`.
        threads: Threads inside one model run, and CPUs per worker.
        address: Address of a Ray cluster, as for `ray.init`. When `None`, a local Ray is started for this
            job, unless Ray is already connected or RAY_ADDRESS names a cluster.
        retry_failed: Process items with an error in the table again.
        recursive: A folder includes its subfolders.
        progress: Called with the report so far.
        options: Keyword arguments of `PoseEstimator`. Models must be on every worker's machine.

    Returns:
        The outcome. Failed items are in the table with their error.

    Raises:
        InputError: Inputs or options cannot be used, or the folder has results of other options.
        OutputError: The folder cannot be written.
        EngineError: Ray or its workers cannot start, or gave up.
        PoseOnnxError: As for `PoseEstimator`.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise InputError(f"{name}={value} was given; give a whole number of 1 or more")
    skipped = Skipped()
    items = find_items(inputs, skipped, recursive=recursive)
    options = {name: _everywhere(value) if name in _MODELS else value for name, value in options.items()}
    folder = ResultFolder(find_place(out).address, _settings(options))
    finished = folder.prepare()
    if retry_failed:
        again = {item for item in items if finished.get(item)}
        folder.forget(again)
        finished = {item: has_failed for item, has_failed in finished.items() if item not in again}
    todo = [item for item in items if item not in finished]
    before = [finished[item] for item in items if item in finished]
    report = Report(len(todo), len(before), sum(before), skipped=str(skipped))
    progress(report)
    if not todo:
        return report
    with ray_session(address, workers and workers * threads):
        count = workers or max(1, int(ray.cluster_resources().get("CPU", default_threads())) // threads)
        for counts in Workers(count, threads, folder, {"threads": threads, **options}).process(todo):
            report = report.plus(counts)
            progress(report)
    return report


def _everywhere(value: Any) -> Any:
    """Return a model or card in a form for other processes: absolute paths, unchanged names and cards."""
    if not isinstance(value, str | os.PathLike) or is_known_name(value):
        return value
    # Not Path.resolve: a link keeps its name.
    return os.path.abspath(value) if os.path.exists(value) else value  # noqa: PTH100, PTH110


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the results. This loads the models, so errors are reported at once."""
    with PoseEstimator(**options) as model:
        return {"schema": SCHEMA_NAME, "backend": options.get("backend", "ort"), **model.describe()}
