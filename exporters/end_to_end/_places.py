"""Where a whole picture lies in a network's input, for resize modes that keep the aspect ratio."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import POINT
from pose_onnx.errors import ExportError
from pose_onnx.exporters.end_to_end._crops import CropValues
from pose_onnx.exporters.end_to_end._values import Value


def place(image: Value, card: ModelCard) -> CropValues:
    """Return where an (H, W, 3) image is placed in the network's input, by the card's resize mode.

    Raises:
        ExportError: End-to-end files do not support this resize mode.
    """
    demand_resize(card, _PLACES)
    sides = image.shape(1).join(image.shape(0), axis=0).reshape(1, POINT)  # width and height
    scale, shift = _PLACES[card.picture.resize](sides, card.picture.size[::-1])
    return CropValues(scale, shift, center=shift, valid=scale > 0.0)


def demand_resize(card: ModelCard, ways: Collection[str], what: str = "its end-to-end file") -> None:
    """Refuse a card whose resize mode is not one of these.

    Raises:
        ExportError: It is not.
    """
    if card.picture.resize not in ways:
        raise ExportError(
            f"the card of {card.name!r} has input.resize {card.picture.resize!r}, but {what} only supports "
            f"{list(ways)}; export the network alone"
        )


def _fix(sides: Value, target: Sequence[int]) -> tuple[Value, Value]:
    longer = sides.reduce("Max", 1).cast(np.float64)
    scale = float(target[0]) / longer
    scaled = sides.cast(np.float64) * scale
    return scale, (scaled.constant([target]) - scaled) * 0.5


def _keep(sides: Value, target: Sequence[int]) -> tuple[Value, Value]:
    shift = sides.constant([[side // 2 for side in target]]) - sides / 2
    return shift.constant([[1.0]], np.float64), shift.cast(np.float64)


def _fit(sides: Value, target: Sequence[int]) -> tuple[Value, Value]:
    fits = (sides.constant([target]) - sides).reduce("Min", 1).apply("GreaterOrEqual", 0, dtype=np.bool_)
    kept, fixed = _keep(sides, target), _fix(sides, target)
    return fits.where(kept[0], fixed[0]), fits.where(kept[1], fixed[1])


_PLACES: Final[Mapping[str, Callable[..., tuple[Value, Value]]]] = MappingProxyType(
    {"fix": _fix, "keep": _keep, "fit": _fit}
)
"""By resize mode: from (1, 2) int64 sides of picture and input to scale (1, 1) and shift (1, 2)."""
