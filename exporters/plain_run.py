"""Runs a model unchanged, on ONNX Runtime's plain kernels: the reference if Paddle does not run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.heads import find_heads
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.passes.inline_constants import INLINE_CONSTANTS
from pose_onnx.exporters.passes.spell_out_sigmoid import spell_out
from pose_onnx.exporters.session import PlainGraph

Arrays = Mapping[str, NDArray[np.float32]]


def run_plainly(graph: Graph, card: ModelCard, inputs: Arrays) -> dict[str, Arrays]:
    """Run a model made by paddle2onnx.

    Sigmoids are first written as basic operators: ONNX Runtime's Sigmoid is an approximation, with an error
    of 1e-4 under the square root of PicoDet's scores. Paddle's is exact.

    Args:
        graph: The graph before it is trimmed.
        card: The model's card.
        inputs: Inputs (N, 3, H, W) by name.

    Returns:
        For each input, outputs under the card's names.
    """
    exact = rewrite(graph, [INLINE_CONSTANTS])
    spell_out(exact, exact.of_type("Sigmoid"))
    session = PlainGraph(exact)
    (image_name,) = (info.name for info in exact.inputs)
    results = {}
    for name, batch in inputs.items():
        # So batches of other runs are compared with single images.
        arrays = session.run_singly({image_name: batch})
        heads = find_heads({key: array.shape for key, array in arrays.items()}, card)
        results[name] = export_of(card).read(arrays, heads, card)
    return results
