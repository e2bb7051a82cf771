"""The contract of an exported ONNX file: names, shapes, opset, and the model card in its metadata."""

from __future__ import annotations

from typing import Final

import onnx

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.errors import ExportError
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.graph import Shape as GraphShape
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.passes.freeze_shapes import BATCH
from pose_onnx.exporters.serializing import serialize
from pose_onnx.outputs import Shape

FORBIDDEN: Final = ("ArgMax", "BatchNormalization", "NonMaxSuppression", "NonZero", "Shape", "TopK")
"""Operators that must not be left: NMS, argmax, unfolded batch norm, shape arithmetic."""
FREE: Final = ("NonMaxSuppression", "NonZero", "Shape", "TopK")
"""Those of them that are allowed where the number of rows is free."""
ROWS: Final = "R"
"""Name of that axis."""


def stamp(graph: Graph, card: ModelCard) -> bytes:
    """Check a finished graph against the contract; return it as a file with its card.

    Raises:
        ExportError: the graph does not match the card.
    """
    skeleton = check_contract(graph, card)
    skeleton.metadata_props.add(key=CARD_KEY, value=card.to_json())
    return serialize(graph, skeleton)


def check_contract(graph: Graph, card: ModelCard) -> onnx.ModelProto:
    """Check a finished graph against the contract; return its skeleton.

    Raises:
        ExportError: the graph does not match the card.
    """
    _check(graph, card)
    skeleton = graph.skeleton()  # nothing that is checked depends on the weights; the checker copies all
    try:
        onnx.checker.check_model(skeleton, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ExportError(
            f"the graph of {card.name!r} is not valid ONNX ({error}); please report it"
        ) from error
    return skeleton


def free_shapes(card: ModelCard) -> dict[str, GraphShape]:
    """Return the shapes of the outputs of a model whose number of rows is free, for its one picture."""
    shapes = card.output.shapes(card)
    return {
        name: (1, *(ROWS if size is None else size for size in shape[1:])) for name, shape in shapes.items()
    }


def _check(graph: Graph, card: ModelCard) -> None:
    is_free = export_of(card).free
    left = sorted({node.op for node in graph.of_type(*FORBIDDEN)} - {*(FREE if is_free else ())})
    if left:
        raise ExportError(f"the graph of {card.name!r} still has {left}; please report the model")
    wanted = card.output.shapes(card)
    found = {t.name: t.shape for t in graph.outputs}
    if is_free and found == free_shapes(card):
        return
    open_sizes = {
        size
        for name, shape in wanted.items()
        for size, known in zip(found.get(name, ())[1:], shape[1:], strict=False)
        if known is None
    }
    fits = found.keys() == wanted.keys() and all(_fits(found[name], shape) for name, shape in wanted.items())
    if not fits or len(open_sizes) > 1:
        raise ExportError(
            f"the graph has the outputs {found}, but the card of {card.name!r} requires {wanted}; say "
            "which model it is by --model or --card"
        )


def _fits(shape: tuple[int | str, ...], wanted: Shape) -> bool:
    """Say whether a tensor's batch is free and its other sizes are those of the card."""
    return (
        len(shape) == len(wanted)
        and shape[0] == BATCH
        and all(isinstance(size, int) for size in shape[1:])
        and all(known in (None, size) for size, known in zip(shape[1:], wanted[1:], strict=True))
    )
