"""Decides which model a source is, from a name, a card or the files of the folder; it never guesses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import card_names, fit_name, load_card
from pose_onnx.errors import InputError
from pose_onnx.exporters._tools import demand_paddle
from pose_onnx.exporters.derive import derive_card
from pose_onnx.exporters.infer_cfg import FILE_NAME
from pose_onnx.exporters.source import Checkpoint, Folder, Source
from pose_onnx.files import sha256_of


@dataclass(frozen=True, slots=True)
class Identity:
    """The user's statement of what a source is; at most one of the three is given.

    Attributes:
        model: name of the model.
        like: name of a model that it is run like, without being that model.
        card: its card, or a card file.
    """

    model: str | None = None
    like: str | None = None
    card: ModelCard | str | Path | None = None


def resolve_card(source: Source, said: Identity) -> tuple[ModelCard, tuple[str, ...]]:
    """Find the card of a source.

    The user's statement takes precedence. Without one, a checkpoint must have its model's name, and the card
    of a folder is derived from its `infer_cfg.yml` and its program.

    Returns:
        The card, and one sentence for each thing that it lacks.

    Raises:
        InputError: the model cannot be determined, or more than one of the three is given.
        UnknownNameError: no model has the given name.
        CardError: the given card file is invalid.
        ExportError: the folder's outputs or steps before the network are not known.
    """
    if len([each for each in (said.model, said.like, said.card) if each is not None]) > 1:
        raise InputError("more than one of model, like and card was given; give one")
    card = _said_card(source, said)
    if card is None and isinstance(source, Folder):
        return _derived(source)
    card = card or _named_like_the_file(source)
    config = source.config if isinstance(source, Folder) else None
    return (card if config is None else config.adapt(card)), ()


def _said_card(source: Source, said: Identity) -> ModelCard | None:
    if said.like is not None:
        return load_card(said.like).without_claims(
            _own_name(source), f"{_origin(source)}, run like {said.like}"
        )
    if isinstance(said.card, ModelCard):
        return said.card
    named = said.model if said.card is None else said.card
    return None if named is None else load_card(named)


def _named_like_the_file(source: Source) -> ModelCard:
    name = source.files[0].stem
    if name in card_names():
        return load_card(name)
    raise InputError(
        f"it is not known which model {name!r} is; say so by --model NAME (or --like NAME, if it is run "
        f"like that model) with one of {list(card_names())}, or give a card file by --card"
    )


def _derived(source: Folder) -> tuple[ModelCard, tuple[str, ...]]:
    if source.config is None:
        raise InputError(
            f"folder {_place(source)!r} has no {FILE_NAME}, which says how pictures are prepared; say "
            "which model it is by --model NAME (or --like NAME, if it is run like that model), or give a "
            "card file by --card"
        )
    demand_paddle()
    from pose_onnx.exporters.paddle_to_onnx import describe_program  # noqa: PLC0415 (only who has Paddle needs it)

    program = describe_program(source)
    return derive_card(_own_name(source), _origin(source), source.config, program)


def _own_name(source: Source) -> str:
    return fit_name(source.file.stem if isinstance(source, Checkpoint) else _place(source))


def _place(source: Folder) -> str:
    return source.program.parent.resolve().name


def _origin(source: Source) -> str:
    weights = source.files[-1]
    place = weights.name if isinstance(source, Checkpoint) else f"{_place(source)}/{weights.name}"
    return f"exported from {place}, sha256 {sha256_of(weights)}"
