"""What a detector and a keypoint model have in common: a file, its card and a runtime that fits it."""

from __future__ import annotations

import os
from typing import Any

from pose_onnx.cards.card import ModelCard, Task
from pose_onnx.cards.lookup import card_of, resolve_model
from pose_onnx.errors import ModelFileError
from pose_onnx.runtimes import Runtime, open_runtime

INPUT_NAME = "image"
ModelLike = str | os.PathLike[str]
CardLike = ModelCard | str | os.PathLike[str]


def open_model(
    model: ModelLike,
    task: Task,
    card: CardLike | None,
    backend: str,
    threads: int | None,
    options: dict[str, Any],
) -> tuple[ModelCard, Runtime]:
    """Load a model by name or path and check that file and card belong together.

    Raises:
        ModelFileError: Wrong task, or inputs and outputs that are not as the card says.
        UnknownNameError: No such model or backend.
        MissingCardError: The file has no card and none was given.
    """
    path = resolve_model(model, backend)
    runtime = open_runtime(path, backend, threads=threads, **options)
    found = card_of(path, card)
    check_fit(found, runtime, task, str(path))
    return found, runtime


def check_fit(card: ModelCard, runtime: Runtime, task: Task, where: str) -> None:
    """Refuse a model that cannot do the task, or whose tensors are not those of its card.

    Raises:
        ModelFileError: Naming what the file has and what was expected.
    """
    if card.task != task:
        raise ModelFileError(f"{where!r} is a model for {card.task!r} ({card.name}); give one for {task!r}")
    if is_end_to_end(runtime):
        raise ModelFileError(
            f"{where!r} is an end-to-end file, for programs without pose-onnx; give the file of the network"
            " alone, the one without 'end_to_end' in its name"
        )
    inputs = {spec.name: spec.shape[1:] for spec in runtime.inputs}
    expected = {INPUT_NAME: (3, *card.input_size)}
    if inputs != expected:
        raise ModelFileError(f"{where!r} takes {inputs}, but the card of {card.name!r} says {expected}")
    names = {spec.name for spec in runtime.outputs}
    if missing := sorted(set(card.output_names) - names):
        raise ModelFileError(
            f"{where!r} has the outputs {sorted(names)}, but {card.name!r} needs {missing}; export it with"
            " pose-onnx export, or give a card that fits"
        )


def is_end_to_end(runtime: Runtime) -> bool:
    """Say whether a model takes whole pictures, as those of `pose-onnx export --end-to-end` do."""
    return any(spec.name == INPUT_NAME and spec.dtype == "uint8" for spec in runtime.inputs)
