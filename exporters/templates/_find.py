"""The bundled templates."""

from __future__ import annotations

from importlib.resources import files

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.templates._file import SUFFIX, Template, read_template, template_name


def find_template(card: ModelCard) -> Template | None:
    """Return the template of a card's network, if there is one.

    Raises:
        ModelFileError: It is damaged.
    """
    name = template_name(card)
    file = files("pose_onnx.exporters.templates") / f"{name}{SUFFIX}"
    return read_template(name, file.read_bytes()) if file.is_file() else None
