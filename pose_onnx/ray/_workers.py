"""Ray Data workers that write parts, and the handling of items whose worker died."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Final

from pose_onnx.addresses import redacted
from pose_onnx.errors import EngineError, PoseOnnxError
from pose_onnx.ray._batch import PoseBatch
from pose_onnx.ray._engine import pa, ray
from pose_onnx.ray._parts import Counts, Part, ResultFolder, make_parts
from pose_onnx.ray._table import Row, table_of

LARGEST_PART: Final = 256
"""Maximum number of pictures in one file, which is what a dead worker loses."""

_PARTS_PER_WORKER: Final = 16  # so that the workers finish at about the same time

WORKER_DIED: Final = "WorkerDied"
"""The `error_kind` of an item that killed its workers."""

ATTEMPTS: Final = 3
"""Maximum number of workers that may die on a part: by chance, or because of an item in it."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The number of workers and their settings.

    Attributes:
        count: Number of processes, each with its own models.
        cpus: CPUs per process.
        folder: The result folder.
        options: Arguments that each passes to `PoseBatch`.
    """

    count: int
    cpus: int
    folder: ResultFolder
    options: Mapping[str, Any]

    def process(self, items: Sequence[str]) -> Iterator[Counts]:
        """Write the rows of all items, and yield the contents of each part as it is finished.

        A part that killed its workers is repeated with one item per part, so that a bad item does not
        affect the others. Such an item gets a row with an error.

        Raises:
            EngineError: The workers cannot start or cannot write, or Ray gave up.
        """
        most = min(LARGEST_PART, ceil(len(items) / (self.count * _PARTS_PER_WORKER)))
        suspects: list[str] = []
        for part, counts in self._run(make_parts(items, most)):
            if counts is None and len(part.paths) > 1:
                suspects += part.paths
            else:
                yield counts or self._give_up(part)
        for part, counts in self._run(make_parts(suspects, 1)):
            yield counts or self._give_up(part)
        self.folder.tidy()

    def _give_up(self, part: Part) -> Counts:
        (path,) = part.paths
        row = Row(
            path, error=f"{redacted(path)!r} crashed {ATTEMPTS} workers that tried it", error_kind=WORKER_DIED
        )
        return self.folder.write(part.name, [table_of([row])])

    def _run(self, parts: Sequence[Part]) -> Iterator[tuple[Part, Counts | None]]:
        """Yield each part and what was written of it: nothing if it killed its workers."""
        if not parts:
            return
        by_name = {part.name: part for part in parts}
        try:
            with _quiet():
                for batch in self._rows(parts).iter_batches(batch_size=None, batch_format="pyarrow"):
                    for row in batch.to_pylist():
                        if row["trouble"]:
                            raise EngineError(row["trouble"])
                        yield by_name[row["name"]], row["counts"] and Counts(**row["counts"])
        except ray.exceptions.RayError as error:
            reason = str(error).strip().rpartition("\n")[2]
            raise EngineError(
                f"Ray gave up ({reason}); start the job again to continue with the rest"
            ) from error

    def _rows(self, parts: Sequence[Part]) -> Any:
        """Return the data set of the workers' reports, one row per part."""
        # One block per part, so that Ray repeats whole parts.
        work = ray.data.from_arrow([pa.table({"name": [p.name], "paths": [list(p.paths)]}) for p in parts])
        return work.map_batches(
            _PartWriter,
            fn_constructor_args=(self.folder, dict(self.options)),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(self.count, len(parts))),  # Ray replaces dead workers
            num_cpus=self.cpus,
        )


class _PartWriter:
    """The actor: writes the rows of a part, and reports its contents.

    Permanent errors (a missing model, an unwritable folder) are reported, not raised: Ray would log them,
    drop them and continue.
    """

    def __init__(self, folder: ResultFolder, options: Mapping[str, Any]) -> None:
        self._folder = folder
        self._trouble: str | None = None
        try:
            self._batch = PoseBatch(**options)
        except PoseOnnxError as error:
            self._trouble = f"a worker cannot start: {error}"
        else:
            self._trouble = self._other_models()

    def _other_models(self) -> str | None:
        facts, settings = self._batch.facts, self._folder.settings
        others = [name for name, value in facts.items() if settings.get(name) != value]
        if not others:
            return None
        return (
            f"a worker has another model of the same name ({', '.join(others)}); give every machine the "
            "models of the one that starts the job"
        )

    def __call__(self, batch: Any) -> Any:
        name, paths = batch["name"][0].as_py(), batch["paths"][0].as_py()
        counts, trouble = None, self._trouble
        if trouble is None:
            try:
                with self._folder.attempt(name, ATTEMPTS) as may_start:
                    if may_start:
                        counts = self._folder.write(name, self._batch(pa.table({"path": paths})))
            except PoseOnnxError as error:
                trouble = str(error)
        fields = {"name": name, "trouble": trouble, "counts": counts and asdict(counts)}
        return pa.Table.from_pylist([fields], schema=_REPORT)


_REPORT: Final = pa.schema(
    [
        ("name", pa.string()),
        ("trouble", pa.string()),
        ("counts", pa.struct([("items", pa.int64()), ("people", pa.int64()), ("failed", pa.int64())])),
    ]
)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Ray Data's terminal output, which repeats our progress bar and the table."""
    logger, context = logging.getLogger("ray.data"), ray.data.DataContext.get_current()
    level, bars = logger.level, context.enable_progress_bars
    logger.setLevel(logging.CRITICAL)
    context.enable_progress_bars = False
    try:
        yield
    finally:
        logger.setLevel(level)
        context.enable_progress_bars = bars
