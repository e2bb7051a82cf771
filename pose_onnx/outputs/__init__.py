"""Kinds of output: names and shapes of a network's tensors, and how to read them.

A kind is one file here, with a frozen dataclass that has the members of `OutputSpec`, and one line in
`KINDS`. Other packages add kinds by entry point (group `pose_onnx.outputs`, named after the kind). What
exporters must know about a kind is in `pose_onnx.exporters.outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final, cast

from pose_onnx.cards.schema import read_record, short
from pose_onnx.errors import CardError
from pose_onnx.outputs._spec import DetectionOutput, KeypointOutput, OutputSpec, Shape, Tensors
from pose_onnx.outputs.action_logits import ActionLogitsOutput
from pose_onnx.outputs.box_distributions import BoxDistributionOutput
from pose_onnx.outputs.boxes import BoxOutput
from pose_onnx.outputs.centers import CenterOutput
from pose_onnx.outputs.heatmaps import HeatmapOutput
from pose_onnx.outputs.people_heads import PeopleOutput
from pose_onnx.outputs.proposals import ProposalOutput

__all__ = [
    "KINDS",
    "ActionLogitsOutput",
    "BoxDistributionOutput",
    "BoxOutput",
    "CenterOutput",
    "DetectionOutput",
    "HeatmapOutput",
    "KeypointOutput",
    "OutputSpec",
    "PeopleOutput",
    "ProposalOutput",
    "Shape",
    "Tensors",
    "kind_names",
    "output_to_dict",
    "read_output",
]

ENTRY_POINT_GROUP: Final = "pose_onnx.outputs"

KINDS: Final[Mapping[str, type[OutputSpec]]] = MappingProxyType(
    {
        spec.kind: spec
        for spec in (
            HeatmapOutput,
            BoxOutput,
            BoxDistributionOutput,
            CenterOutput,
            ProposalOutput,
            ActionLogitsOutput,
            PeopleOutput,
        )
    }
)
"""The kinds of this package, by name."""


def kind_names() -> tuple[str, ...]:
    """Return the names of all kinds, including those of other packages."""
    return (*KINDS, *sorted(entry_points(group=ENTRY_POINT_GROUP).names - KINDS.keys()))


def read_output(data: object) -> tuple[OutputSpec, dict[str, Any]]:
    """Read the `output` of a card.

    Returns:
        The output, and the fields that its kind does not define.

    Raises:
        CardError: There is no such kind, or a value is invalid.
    """
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in kind_names():
        raise CardError(
            f"the card's output has the unknown kind {short(kind)}; use one of {list(kind_names())}, or "
            "install the package that adds it, or a newer pose-onnx"
        )
    fields = {name: value for name, value in cast("Mapping[str, Any]", data).items() if name != "kind"}
    return read_record(_spec_of(kind), fields, "the card's output")


def output_to_dict(output: OutputSpec) -> dict[str, Any]:
    """Return the JSON object that `read_output` reads."""
    return {"kind": output.kind, **asdict(cast("Any", output))}


def _spec_of(kind: str) -> type[OutputSpec]:
    if kind in KINDS:
        return KINDS[kind]
    (entry,) = entry_points(group=ENTRY_POINT_GROUP, name=kind)
    return cast("type[OutputSpec]", entry.load())
