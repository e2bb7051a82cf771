"""What a detector and a keypoint model have in common: a file, its card and a runtime that fits it."""

from __future__ import annotations

import os
from typing import Any

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import card_of, resolve_model
from pose_onnx.errors import ModelFileError
from pose_onnx.outputs import Shape
from pose_onnx.runtimes import Runtime, open_runtime

INPUT_NAME = "image"
ModelLike = str | os.PathLike[str]
CardLike = ModelCard | str | os.PathLike[str]


def open_model(
    model: ModelLike,
    task: str,
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
    found = card_of(path, card)
    runtime = open_runtime(path, backend, threads=threads, **options)
    try:
        check_fit(found, runtime, task, str(path))
    except ModelFileError:
        runtime.close()
        raise
    return found, runtime


def check_fit(card: ModelCard, runtime: Runtime, task: str, where: str) -> None:
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
    expected = {INPUT_NAME: (3, *card.input.size)}
    if inputs != expected:
        raise ModelFileError(f"{where!r} takes {inputs}, but the card of {card.name!r} says {expected}")
    found = {spec.name: spec.shape for spec in runtime.outputs}
    for name, shape in card.output.shapes(card).items():
        if name not in found or not _may_be(found[name], shape):
            raise ModelFileError(
                f"{where!r} has the outputs {found}, but the card of {card.name!r} says {name!r} {shape};"
                " export it with pose-onnx export, or give a card that fits"
            )


def _may_be(shape: Shape, wanted: Shape) -> bool:
    """Say whether a tensor of a shape can have another one; `None` stands for any size."""
    return len(shape) == len(wanted) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shape, wanted, strict=True)
    )


def is_end_to_end(runtime: Runtime) -> bool:
    """Say whether a model takes whole pictures, as those of `pose-onnx export --end-to-end` do."""
    return any(spec.name == INPUT_NAME and spec.dtype == "uint8" for spec in runtime.inputs)
