"""Run a model as it is, on ONNX Runtime's plain kernels: the reference where Paddle does not run."""

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
from pose_onnx.exporters.session import plain_session

Arrays = Mapping[str, NDArray[np.float32]]


def run_plainly(graph: Graph, card: ModelCard, inputs: Arrays) -> dict[str, Arrays]:
    """Run what paddle2onnx made.

    Sigmoids are spelt out first: ONNX Runtime's own is an approximation, 1e-4 off under the square root of
    PicoDet's scores, where Paddle's is exact.

    Args:
        graph: Before it is trimmed.
        card: Of the model.
        inputs: (N, 3, H, W) by name.

    Returns:
        For each input, outputs under the card's names.
    """
    exact = rewrite(graph, [INLINE_CONSTANTS])
    spell_out(exact, exact.of_type("Sigmoid"))
    session = plain_session(exact.to_model())
    (image_name,) = (item.name for item in session.get_inputs())
    names = [item.name for item in session.get_outputs()]
    results = {}
    for name, batch in inputs.items():
        # One by one: it takes less memory, and a batch is then compared with images that were alone.
        runs = [session.run(names, {image_name: image[None]}) for image in batch]
        arrays = {
            key: np.concatenate(column) for key, column in zip(names, zip(*runs, strict=True), strict=True)
        }
        heads = find_heads({key: array.shape for key, array in arrays.items()}, card)
        results[name] = export_of(card).read(arrays, heads, card)
    return results
