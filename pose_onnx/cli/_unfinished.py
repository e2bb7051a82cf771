"""The state that `pose-onnx video` keeps beside its outputs until it is done, for `--resume`.

A folder `.NAME.unfinished` beside the first output holds the finished parts of the annotated video and
`progress.json`, which is replaced atomically. Work done after its last write is repeated. That file is
created first and deleted first: without it there is nothing to resume, whatever a kill left behind.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from pose_onnx import InputError
from pose_onnx.errors import OutputError
from pose_onnx.files import atomic_write_bytes, cannot_write
from pose_onnx.video import Frame
from pose_onnx.video.outputs.parts import Part

_SCHEMA: Final = "pose_onnx.unfinished/1"
_PROGRESS: Final = "progress.json"


@dataclass(slots=True)
class Progress:
    """The progress of a run.

    Attributes:
        first: Index of the next frame.
        session: State of the video session; `None` at the beginning.
        frames: Number of frames written.
        people: The highest id so far, which is the number of people.
        skipped: Frames that could not be decoded.
        size: Height and width of the annotated video; `None` at the beginning.
        parts: Its finished parts.
    """

    first: int = 0
    session: dict[str, Any] | None = None
    frames: int = 0
    people: int = 0
    skipped: int = 0
    size: tuple[int, int] | None = None
    parts: list[Part] = field(default_factory=list)

    def add(self, frame: Frame) -> None:
        """Count a frame that was written."""
        self.first, self.frames = frame.index + 1, self.frames + 1
        if frame.poses.ids is not None:
            self.people = max([self.people, *frame.poses.ids.tolist()])


class Unfinished:
    """The folder of a run.

    Args:
        output: The first of its outputs.
        run: Everything the results depend on, JSON-ready; a run is continued only if it is the same.
    """

    def __init__(self, output: Path, run: Mapping[str, Any]) -> None:
        self.folder, self._output = output.with_name(f".{output.name}.unfinished"), output
        self._run = json.loads(json.dumps(run))

    @property
    def is_there(self) -> bool:
        """Whether there is a run to continue."""
        return (self.folder / _PROGRESS).exists()

    def begin(self) -> Progress:
        """Delete the state of an earlier run, and begin.

        Raises:
            OutputError: The folder cannot be written.
        """
        self.remove()
        try:
            self.folder.mkdir()
        except OSError as error:
            raise OutputError(cannot_write(self._output, error)) from error
        self.save(Progress())
        return Progress()

    def load(self) -> Progress:
        """Return the progress of the earlier run.

        Raises:
            InputError: It used other frames, models or options, or the file is damaged.
        """
        path = self.folder / _PROGRESS
        try:
            value = json.loads(path.read_bytes())
            before, values = value["run"], value["progress"]
            if value["schema"] != _SCHEMA:
                raise ValueError(value["schema"])  # noqa: TRY301 (said below)
            values["parts"] = [Part(**part) for part in values["parts"]]
            values["size"] = values["size"] and tuple(values["size"])
            progress = Progress(**values)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{str(path)!r} is damaged ({error!r}); start over with --overwrite") from error
        names = sorted(before.keys() | self._run.keys())
        if different := [name for name in names if before.get(name) != self._run.get(name)]:
            raise InputError(
                f"the unfinished run cannot be continued because its {' and '.join(different)} and this "
                "run's differ; run with the same, or start over with --overwrite"
            )
        return progress

    def save(self, progress: Progress) -> None:
        """Replace the stored progress.

        Raises:
            OutputError: The disk is full, ...
        """
        value = {"schema": _SCHEMA, "run": self._run, "progress": asdict(progress)}
        atomic_write_bytes(self.folder / _PROGRESS, json.dumps(value).encode())

    def remove(self) -> None:
        """Delete the folder; the run is done."""
        with contextlib.suppress(OSError):
            (self.folder / _PROGRESS).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


def is_unfinished(output: Path) -> bool:
    """Return whether there is a run to continue whose first output is this one."""
    return Unfinished(output, {}).is_there
