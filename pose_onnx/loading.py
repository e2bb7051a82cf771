"""What detectors and keypoint models share: a file, its card and a matching runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from inspect import Parameter, signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.input import InputSpec
from pose_onnx.cards.lookup import card_of, load_card, resolve_model
from pose_onnx.errors import InputError, ModelFileError, did_you_mean
from pose_onnx.outputs import Shape
from pose_onnx.runtimes import Runtime, is_parallel, load_adapter, open_runtime, option_names

INPUT_NAME = InputSpec.tensor_name
_OPENED_BY: Final = MappingProxyType(
    {"actions": "ActionModel", "detect": "Detector", "keypoints": "KeypointModel", "people": "PoseEstimator"}
)
"""The class that opens a model, by its task."""
ModelLike: TypeAlias = str | os.PathLike[str] | Runtime
"""Name or path of a model, or one that is loaded."""
CardLike: TypeAlias = ModelCard | str | os.PathLike[str]
"""A card, its name, or the path of a card file."""


def open_model(
    model: ModelLike,
    task: str,
    *,
    card: CardLike | None,
    backend: str,
    precision: str,
    threads: int,
    options: dict[str, Any],
    overlap: bool = False,
) -> tuple[ModelCard, Runtime]:
    """Load a model by name or path, or take a loaded one, and check that it matches its card.

    Args:
        model: Name, path, or a `Runtime`.
        task: What it must be for.
        card: For one without a card: a card, its name, or the path of a card file.
        backend: Which engine runs it.
        precision: Which of the files that a name stands for.
        threads: Threads inside a run.
        options: Passed to the backend.
        overlap: Several threads will run it at once if the engine can do that, with one thread inside a run.

    Raises:
        ModelFileError: Wrong task, or inputs and outputs that differ from the card.
        UnknownNameError: No such model or backend.
        MissingCardError: The file has no card and none was given.
        InputError: A `Runtime` was given without a card, or with options.
    """
    if not isinstance(model, str | os.PathLike):
        return _take_runtime(model, task, card, options)
    path = resolve_model(model, backend, precision)
    found = card_of(path, card)
    inside = 1 if overlap and is_parallel(load_adapter(backend)) else threads
    runtime = open_runtime(path, backend, threads=inside, **options)
    try:
        check_fit(found, runtime, task, str(path))
    except ModelFileError:
        runtime.close()
        raise
    return found, runtime


def check_options(kind: type, backend: str, options: Mapping[str, Any]) -> None:
    """Refuse arguments that neither a class nor the backend knows.

    Raises:
        InputError: There is one, such as a misspelt name.
    """
    taken = option_names(backend) if options else None
    if taken is None:
        return
    own = [
        name
        for name, parameter in signature(vars(kind)["__init__"]).parameters.items()
        if name != "self" and parameter.kind is not Parameter.VAR_KEYWORD
    ]
    if unknown := [name for name in options if name not in taken]:
        hint = did_you_mean(unknown[0], [*own, *taken])
        raise InputError(
            f"{kind.__name__} has no argument {unknown[0]!r}; {hint}it takes {own}, and for backend"
            f" {backend!r} {list(taken)}"
        )


def file_of(model: ModelLike, backend: str, precision: str) -> Path | None:
    """Return the file of a model by name or path; `None` for a model that was passed in loaded.

    Raises:
        PoseOnnxError: There is no such file.
    """
    return resolve_model(model, backend, precision) if isinstance(model, str | os.PathLike) else None


def _take_runtime(
    model: Runtime, task: str, card: CardLike | None, options: dict[str, Any]
) -> tuple[ModelCard, Runtime]:
    name = type(model).__name__
    if not isinstance(model, Runtime):
        raise InputError(
            f"the model is a {name}; give a name, a path, or an object with the members of"
            " pose_onnx.runtimes.Runtime: inputs, outputs, run and close"
        )
    if card is None:
        raise InputError(f"a loaded model ({name}) was given without its card; give it as card=")
    if options:
        raise InputError(
            f"the options {sorted(options)} are for opening a model, but a loaded model was given; leave "
            "them out"
        )
    found = card if isinstance(card, ModelCard) else load_card(card)
    check_fit(found, model, task, f"the given {name}")
    return found, model


def check_fit(card: ModelCard, runtime: Runtime, task: str, where: str) -> None:
    """Refuse a model that cannot do the task, or whose tensors differ from its card.

    Raises:
        ModelFileError: Naming what the file has and what was expected.
    """
    if card.task != task:
        raise ModelFileError(
            f"{where!r} is a model for {card.task!r} ({card.name}); give one for {task!r}"
            + (f", or open it with pose_onnx.{_OPENED_BY[card.task]}" if card.task in _OPENED_BY else "")
        )
    if is_end_to_end(runtime):
        raise ModelFileError(
            f"{where!r} is an end-to-end file, for programs without pose-onnx; give the file of the network"
            " alone, the one without 'end_to_end' in its name"
        )
    inputs = {spec.name: spec.shape[1:] for spec in runtime.inputs}
    expected = {card.input.tensor_name: card.input_shape}
    if inputs.keys() != expected.keys() or not all(_may_be(inputs[name], expected[name]) for name in inputs):
        raise ModelFileError(
            f"{where!r} has the inputs {inputs}, but the card of {card.name!r} requires {expected}; give "
            "a card that fits"
        )
    for spec in runtime.inputs:
        if spec.dtype != "float32" or spec.shape[0] not in {None, 1}:
            raise ModelFileError(
                f"the input {spec.name!r} of {where!r} is {spec.dtype} {spec.shape}; give a file that takes"
                " float32 and any number of pictures, or one at a time"
            )
    found = {spec.name: spec.shape for spec in runtime.outputs}
    for name, shape in card.output.shapes(card).items():
        if name not in found or not _may_be(found[name], shape):
            raise ModelFileError(
                f"{where!r} has the outputs {found}, but the card of {card.name!r} requires {name!r} "
                f"{shape}; export it with pose-onnx export, or give a card that fits"
            )


def _may_be(shape: Shape, wanted: Shape) -> bool:
    """Say whether a tensor of a shape can have another one; `None` stands for any size."""
    return len(shape) == len(wanted) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shape, wanted, strict=True)
    )


def is_end_to_end(runtime: Runtime) -> bool:
    """Return whether a model takes whole pictures, like those of `pose-onnx export --end-to-end`."""
    return any(spec.name == INPUT_NAME and spec.dtype == "uint8" for spec in runtime.inputs)
