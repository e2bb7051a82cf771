"""Tell what the outputs of an exported Paddle program are, from their shapes and the model card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from pose_onnx.cards.card import ModelCard, Task
from pose_onnx.errors import ExportError

Shape = tuple[int | str, ...]
"""A free size is a string."""

EDGES: Final = 4  # of a box
HEATMAP_RANK: Final = 4  # (N, K, h, w)
BOX_RANK: Final = 3  # (N, A, 4) and the like


@dataclass(frozen=True, slots=True)
class Heads:
    """The outputs to keep.

    Attributes:
        form: "heatmaps"; "decoded": boxes in network pixels and scores; "distribution": per level class
            probabilities (N, A_l, C), then per level box-edge logits (N, A_l, 4 * bins).
        names: of the tensors, in that order.
        class_first: scores are (N, C, A) instead of (N, A, C).
    """

    form: Literal["heatmaps", "decoded", "distribution"]
    names: tuple[str, ...]
    class_first: bool = False


def find_heads(shapes: Mapping[str, Shape], card: ModelCard) -> Heads:
    """Choose among the floating point outputs of a program, in their order.

    Raises:
        ExportError: they do not look like the outputs of such a model.
    """
    heads = _FINDERS[card.task](shapes, card)
    if heads is None:
        raise ExportError(
            f"the program's outputs {[list(s) for s in shapes.values()]} are not those of {card.name!r} "
            f"({card.task}, {len(card.keypoints) or len(card.classes)} "
            f"{'keypoints' if card.keypoints else 'classes'}); name the model it is by --model or --card"
        )
    return heads


def _find_heatmaps(shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
    maps = [n for n, s in shapes.items() if len(s) == HEATMAP_RANK and s[1] == len(card.keypoints)]
    return Heads("heatmaps", (maps[0],)) if len(maps) == 1 else None


def _find_boxes(shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
    tables = {n: s for n, s in shapes.items() if len(s) == BOX_RANK}
    finder = {2: _find_decoded, 2 * len(card.box.strides): _find_distribution}.get(len(tables))
    return finder(tables, card) if finder else None


def _find_decoded(tables: Mapping[str, Shape], card: ModelCard) -> Heads | None:
    boxes, scores = tables
    if tables[boxes][-1] != EDGES:
        boxes, scores = scores, boxes
    classes = len(card.classes)
    if tables[boxes][-1] != EDGES or classes not in tables[scores][1:]:
        return None
    return Heads("decoded", (boxes, scores), class_first=tables[scores][-1] != classes)


def _find_distribution(tables: Mapping[str, Shape], card: ModelCard) -> Heads | None:
    levels = len(card.box.strides)
    scores, bins = list(tables)[:levels], list(tables)[levels:]
    fits = all(tables[n][-1] == len(card.classes) for n in scores) and all(
        tables[n][-1] == EDGES * card.box.bins for n in bins
    )
    return Heads("distribution", (*scores, *bins)) if fits else None


_FINDERS: Final[Mapping[Task, Callable[[Mapping[str, Shape], ModelCard], Heads | None]]] = MappingProxyType(
    {"keypoints": _find_heatmaps, "detect": _find_boxes}
)
