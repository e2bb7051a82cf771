"""Builds one ONNX file from an exported network and all steps before and after it."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.exporters.outputs import export_of

IMAGE: Final = TensorInfo("image", TensorProto.UINT8, ("H", "W", 3))
FORM_KEY: Final = "pose_onnx.form"
"""Name of the metadata entry that tells such a file from the network alone."""
_IMAGE_MEANING: Final = "Height, width and RGB; values 0 to 255."


def assemble(network: onnx.ModelProto, card: ModelCard) -> onnx.ModelProto:
    """Add the steps of the preset "accurate" to an exported network, as standard operators.

    Args:
        network: As `pose_onnx.exporters.stamp` writes it, in any precision.
        card: Its card.

    Returns:
        For keypoints: `image` (H, W, 3) uint8 RGB and `boxes` (N, 4) float32 give `keypoints` (N, K, 2)
        and `scores` (N, K). For a detector: `image` gives `boxes` (M, 4) and `scores` (M,), best first. In
        one pass: `image` gives these two, `keypoints` (M, K, 2) and `keypoint_scores` (M, K), best first.
        Boxes are xyxy; all but the image is float32 and in image pixels.

    Raises:
        ExportError: The model is a detector that does not find people.
    """
    inner = Graph.from_model(network)
    graph = Graph([], {}, [IMAGE], [], opsets=inner.opsets)
    image = Value(graph, IMAGE.name, np.dtype(np.uint8))
    kind = export_of(card)
    kind.end_to_end(image, inner, card)
    model = graph.to_model()
    model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    model.metadata_props.add(key=FORM_KEY, value="end_to_end")
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.doc_string = kind.meanings.get(tensor.name, _IMAGE_MEANING)
    onnx.checker.check_model(model, full_check=True)
    return model
