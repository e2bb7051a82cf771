"""Identifies the outputs of an exported Paddle program from their shapes and the model card."""

from __future__ import annotations

from collections.abc import Mapping

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import ExportError
from pose_onnx.exporters.outputs import Heads, Shape, export_of


def find_heads(shapes: Mapping[str, Shape], card: ModelCard) -> Heads:
    """Choose among the floating-point outputs of a program, given in order.

    Raises:
        ExportError: the outputs do not match the card.
    """
    kind = export_of(card)
    heads = kind.find(shapes, card)
    if heads is None:
        raise ExportError(
            f"the program's outputs {[list(s) for s in shapes.values()]} are not those of {card.name!r} "
            f"({kind.describe(card)}); say which model it is by --model or --card"
        )
    return heads
