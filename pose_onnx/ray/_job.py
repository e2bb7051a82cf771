"""A batch job: what is left to do, and how it went."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Final

from pose_onnx.cards.lookup import is_known_name
from pose_onnx.errors import InputError
from pose_onnx.folders import Skipped
from pose_onnx.opening import open_pose_model
from pose_onnx.ray._engine import ray
from pose_onnx.ray._parts import Counts, ResultFolder
from pose_onnx.ray._places import find_items, find_place
from pose_onnx.ray._session import ray_session
from pose_onnx.ray._workers import Workers
from pose_onnx.runtimes import default_threads

SCHEMA_NAME: Final = "pose_onnx.batch/1"
"""Raised when a column changes its meaning or goes; new columns may come without."""


_MODELS: Final = frozenset({"detector", "pose", "detector_card", "pose_card"})
"""Options that may be paths. No other is one, whatever files there are."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a job went, or how it goes.

    Attributes:
        total: Items that were not done before.
        done: Those that are done now.
        people: Found in them: in each picture, and in each video by their ids.
        failed: Those that have an error in the table.
        before: Items that an earlier job had done, and were left alone.
        failed_before: How many of those have an error.
        skipped: What else is in the folders, in words; empty if nothing is.
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

    Items that the folder has rows of are not done again, so a job that was stopped goes on where it was. Give
    one job at a time a folder.

    Args:
        inputs: Paths and addresses of pictures, videos and folders of them.
        out: Path or address of the folder for the results.
        workers: Processes, each with its own models; as many as there are CPUs for when `None`.
        threads: Threads inside one model run, and CPUs of a worker.
        address: Of a Ray cluster, as `ray.init` takes it; a Ray of this machine, for this job, when `None`,
            unless Ray is connected already or RAY_ADDRESS names a cluster.
        retry_failed: Do those items again that have an error in the table.
        recursive: A folder means what is in its subfolders too.
        progress: Called with the report so far.
        options: What `PoseEstimator` takes, by keyword. Models must be on every worker's machine.

    Returns:
        How it went. Items that failed are in the table with their error.

    Raises:
        InputError: Inputs or options that cannot be used, or a folder with results of other options.
        OutputError: The folder cannot be written.
        EngineError: Ray or its workers cannot start, or gave up.
        PoseOnnxError: Of `PoseEstimator`.
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
    """Return a model or card as other processes understand it: paths in full, names and cards as they are."""
    if not isinstance(value, str | os.PathLike) or is_known_name(value):
        return value
    # Not Path.resolve: a link keeps its name.
    return os.path.abspath(value) if os.path.exists(value) else value  # noqa: PTH100, PTH110


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return what makes the results. The models are loaded for it, so what is wrong is said at once."""
    with closing(open_pose_model(**options)) as model:
        return {"schema": SCHEMA_NAME, "backend": options.get("backend", "ort"), **model.describe()}
