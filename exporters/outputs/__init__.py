"""What exporters must know about each kind of output; what running a model needs is in `pose_onnx.outputs`.

A kind is one file here, with an object that has the members of `OutputExport`, and one line in `EXPORTS`.
Other packages add a kind by an entry point with its name, in the group `pose_onnx.exporters.outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Final, cast

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import UnknownNameError
from pose_onnx.exporters.outputs._export import Heads, OutputExport, Shape

__all__ = ["EXPORTS", "Heads", "OutputExport", "Shape", "export_of"]

ENTRY_POINT_GROUP: Final = "pose_onnx.exporters.outputs"

EXPORTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "heatmaps": "pose_onnx.exporters.outputs.heatmaps:EXPORT",
        "boxes": "pose_onnx.exporters.outputs.boxes:EXPORT",
        "centers": "pose_onnx.exporters.outputs.centers:EXPORT",
        "proposals": "pose_onnx.exporters.outputs.proposals:EXPORT",
        "action_logits": "pose_onnx.exporters.outputs.action_logits:EXPORT",
        "people_heads": "pose_onnx.exporters.outputs.people_heads:EXPORT",
    }
)
"""Where the object of each kind is. Kinds that can be run but not exported are not here."""


def export_of(card: ModelCard) -> OutputExport:
    """Return the exporters' object for a card's kind of output.

    Raises:
        UnknownNameError: The kind cannot be exported.
    """
    kind = card.output.kind
    if kind in EXPORTS:
        return cast("OutputExport", resolve_name(EXPORTS[kind]))
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=kind):
        return cast("OutputExport", entry.load())
    raise UnknownNameError(
        f"card {card.name!r} has the output {kind!r}, which cannot be exported; choose a model with "
        f"one of {list(EXPORTS)}"
    )
