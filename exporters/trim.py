"""Reduces a converted graph to the network: no NMS, no argmax, no scale_factor, but boxes decoded."""

from __future__ import annotations

from dataclasses import replace

from onnx import TensorProto

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import ExportError
from pose_onnx.exporters.graph import Graph, Shape, TensorInfo
from pose_onnx.exporters.heads import find_heads
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.passes.inline_constants import INLINE_CONSTANTS
from pose_onnx.exporters.program import SIDE_INPUTS
from pose_onnx.exporters.stamp import free_shapes


def trim(graph: Graph, card: ModelCard) -> Graph:
    """Keep the part of a graph between the network's input and the outputs that the card names.

    Args:
        graph: the graph as paddle2onnx made it.
        card: the model's card.

    Returns:
        A graph with the input and the outputs of the card, by name.

    Raises:
        ExportError: the inputs or outputs do not match the card.
    """
    graph = rewrite(graph, [INLINE_CONSTANTS])
    shapes = {t.name: t.shape for t in graph.outputs if t.dtype == TensorProto.FLOAT}
    heads = find_heads(shapes, card)
    export_of(card).write(graph, heads, card)
    graph.outputs = [TensorInfo(name, TensorProto.FLOAT, shape) for name, shape in _outputs(card).items()]
    graph.prune()
    _keep_one_input(graph, card)
    return graph


def _outputs(card: ModelCard) -> dict[str, Shape]:
    """Return the shape of each output; empty where a pass finds it out for any batch."""
    unknown: Shape = ()
    return free_shapes(card) if export_of(card).free else dict.fromkeys(card.output_names, unknown)


def _keep_one_input(graph: Graph, card: ModelCard) -> None:
    name, wanted = card.input.tensor_name, card.input_shape
    images = [t for t in graph.inputs if len(t.shape[1:]) == len(wanted)]
    others = [t for t in graph.inputs if t not in images]
    if len(images) != 1 or any(t.name not in SIDE_INPUTS for t in others):
        raise ExportError(
            f"the program has the inputs {[t.name for t in graph.inputs]}, but needs one {name} (N, "
            f"{', '.join(map(str, wanted))}) and at most {list(SIDE_INPUTS)}; give another model"
        )
    fixed = [
        (have, want) for have, want in zip(images[0].shape[1:], wanted, strict=True) if isinstance(have, int)
    ]
    if any(have not in (want, -1, 0) for have, want in fixed):
        raise ExportError(
            f"the program's {name} is {images[0].shape[1:]}, but {card.name!r} has {wanted}; say which "
            "model it is by --model or --card"
        )
    for side in others:
        graph.constants[side.name] = SIDE_INPUTS[side.name](card.picture.size)
    if images[0].name != name:
        graph.rename({images[0].name: name})
    shape: Shape = (1, wanted[0], "H", "W") if export_of(card).free else ("N", *wanted)
    graph.inputs = [replace(images[0], name=name, shape=shape)]
