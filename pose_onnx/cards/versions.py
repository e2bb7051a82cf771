"""Convert cards of earlier versions to today's form. Exported files contain them, so support never ends.

Version 1 (pose-onnx 0.1) had no `version`, kept the input's fields at the top level next to the name, and had
`task`, `heatmap` and `box` instead of `output`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pose_onnx.cards.schema import short
from pose_onnx.errors import CardError

VERSION: Final = 2
"""Bumped when a field is removed or redefined, but not for a new field that older versions may ignore."""

_KINDS_OF_1: Final = MappingProxyType(
    {
        ("keypoints", "decoded"): ("heatmaps", "heatmap", "affine_crop"),
        ("keypoints", "distribution"): ("heatmaps", "heatmap", "affine_crop"),
        ("detect", "decoded"): ("boxes", "box", "stretch"),
        ("detect", "distribution"): ("box_distributions", "box", "stretch"),
    }
)
_DECODED_ONLY_IN_1: Final = ("score_outputs", "box_outputs")


def to_current(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's JSON object in today's form.

    Raises:
        CardError: It was written by a newer version, or its version is not a whole number.
    """
    version = data.get("version", 1)
    if type(version) is not int or version < 1:
        raise CardError(
            f"the model card has the version {short(version)}; it must be a whole number of 1 or more"
        )
    if version > VERSION:
        raise CardError(
            f"the model card has version {version}, but this pose-onnx only reads versions up to "
            f"{VERSION}; run: pip install --upgrade pose-onnx"
        )
    current = dict(data)
    for older in range(version, VERSION):
        current = _UPGRADES[older](current)
    return current


def _from_1(card: dict[str, Any]) -> dict[str, Any]:
    """Collect the input's fields, and turn task, heatmap and box into one output."""
    box, task = card.pop("box", {}), card.pop("task", None)
    specs = {"heatmap": card.pop("heatmap", {}), "box": box}
    heads = box.get("heads", "decoded") if isinstance(box, Mapping) else None
    if not isinstance(task, str) or not isinstance(heads, str) or (task, heads) not in _KINDS_OF_1:
        raise CardError(
            f"the model card has task {short(task)} and box.heads {short(heads)}; task must be 'keypoints' or"
            " 'detect', and heads 'decoded' or 'distribution'"
        )
    kind, spec, resize = _KINDS_OF_1[task, heads]
    if not isinstance(specs[spec], Mapping):
        raise CardError(f"the model card has {spec} {short(specs[spec])}; it must be a JSON object")
    output = {name: value for name, value in specs[spec].items() if name != "heads"}
    if kind != "box_distributions":
        output = {name: value for name, value in output.items() if name not in _DECODED_ONLY_IN_1}
    given = {
        new: card.pop(old)
        for old, new in (("input_size", "size"), ("mean", "mean"), ("std", "std"), ("color", "color"))
        if old in card
    }
    card["input"] = {**given, "resize": resize}
    card["output"] = {"kind": kind, **output}
    return card


_UPGRADES: Final[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = MappingProxyType({1: _from_1})
