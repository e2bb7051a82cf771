"""Models that are already exported, by name or file. End-to-end files and layouts are made from them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import onnx

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import card_of, is_known_name, resolve_model
from pose_onnx.errors import ExportError, InputError, ModelFileError
from pose_onnx.exporters.end_to_end import assemble, end_to_end_name
from pose_onnx.exporters.end_to_end._assemble import FORM_KEY
from pose_onnx.exporters.end_to_end._compare import compare_with_core
from pose_onnx.exporters.verify import Measured, comparison_photo, demand
from pose_onnx.files import write_folder

SUFFIX: Final = ".onnx"
_TASKS: Final = ("detect", "keypoints")
"""In the order of a pipeline."""


@dataclass(frozen=True)
class Finished:
    """One ONNX file with its card.

    Attributes:
        path: The file.
        card: Its card.
    """

    path: Path
    card: ModelCard

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The file's content."""
        return onnx.load(self.path)

    @property
    def is_end_to_end(self) -> bool:
        """Whether the file is already an end-to-end file, so that the network alone is not available."""
        return any(entry.key == FORM_KEY for entry in self.model.metadata_props)

    @cached_property
    def end_to_end(self) -> bytes:
        """The end-to-end file.

        Raises:
            ExportError: No end-to-end file can be made of such a model.
        """
        if self.is_end_to_end:
            return self.path.read_bytes()
        return bytes(assemble(self.model, self.card).SerializeToString())

    @property
    def end_to_end_name(self) -> str:
        """The name that an export gives the end-to-end file."""
        if self.is_end_to_end:
            return self.path.name
        return end_to_end_name(self.path, self.card)

    @contextmanager
    def end_to_end_file(self) -> Iterator[Path]:
        """Yield the path of the end-to-end file, which exists while the block runs."""
        with tempfile.TemporaryDirectory(prefix="pose-onnx-") as folder:
            file = Path(folder) / self.end_to_end_name
            file.write_bytes(self.end_to_end)
            yield file

    def demand_network(self, why: str) -> onnx.ModelProto:
        """Return the file's content, which must be the network alone.

        Raises:
            ExportError: It is an end-to-end file.
        """
        if self.is_end_to_end:
            raise ExportError(
                f"{str(self.path)!r} is an end-to-end file, but {why} needs the network alone; give the file"
                " without 'end_to_end' in its name"
            )
        return self.model


def write_end_to_end_files(
    sources: Sequence[str | os.PathLike[str]], out: Path, photo: Path | None
) -> tuple[tuple[Path, ...], tuple[Measured, ...]]:
    """Write the end-to-end files of models that are already exported.

    Args:
        sources: Names or ONNX files.
        out: Folder for the files.
        photo: Photo for the comparison; the demo photo if None.

    Returns:
        The files, and their differences from the core.

    Raises:
        ExportError: A file cannot be made, or differs too much from the core. No file is written.
    """
    models = read_finished(sources)
    measured = []
    for model in models:
        model.demand_network("--end-to-end")
        with model.end_to_end_file() as file:
            measured += compare_with_core(file, model.path, model.card, comparison_photo(photo))
    demand(measured)
    write_folder(out, {model.end_to_end_name: model.end_to_end for model in models})
    return tuple(out / model.end_to_end_name for model in models), tuple(measured)


def is_finished(source: str | os.PathLike[str]) -> bool:
    """Say whether a source needs no conversion: an ONNX file, or the name of a known model.

    Paddle's folders often have the names of their models: an existing path takes precedence over a name.
    """
    return Path(source).suffix == SUFFIX or (is_known_name(source) and not Path(source).exists())


def read_finished(sources: Sequence[str | os.PathLike[str]]) -> tuple[Finished, ...]:
    """Return models that need no conversion: one, or a detector and a keypoint model in this order.

    Raises:
        InputError: There are more than two, or two for the same task or with the same name.
        ModelFileError: A file is missing, broken, not an ONNX file, or not for a task of a pipeline.
        MissingCardError: A file has no card.
    """
    models = []
    for source in sources:
        path = resolve_model(source)
        card = card_of(path, None)
        if path.suffix != SUFFIX:
            raise ModelFileError(f"{str(path)!r} is not an ONNX file; give a {SUFFIX} file")
        if card.task not in _TASKS:
            raise ModelFileError(
                f"{str(path)!r} is a model for {card.task!r} ({card.name}); give a detector or a keypoint"
                " model"
            )
        models.append(Finished(path, card))
    tasks = [model.card.task for model in models]
    if len(set(tasks)) != len(tasks):
        raise InputError(f"models for {tasks} were given; give one, or a detector and a keypoint model")
    if len({model.end_to_end_name for model in models}) != len(models):
        raise InputError(
            f"the files {[str(each.path) for each in models]} have equal names; rename one of them"
        )
    return tuple(sorted(models, key=lambda model: _TASKS.index(model.card.task)))
