"""An exported network, with all that comes before and after it, as one ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.exporters.end_to_end import _boxes, _crops, _dark, _sampling
from pose_onnx.exporters.end_to_end._normalize import normalize
from pose_onnx.exporters.end_to_end._resize import resize_cubic
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.presets import PRESETS

PRESET: Final = PRESETS["accurate"]
IMAGE: Final = TensorInfo("image", TensorProto.UINT8, ("H", "W", 3))
FORM_KEY: Final = "pose_onnx.form"
"""Name of the metadata entry that tells such a file from the network alone."""
_MEANINGS: Final = MappingProxyType(
    {
        "image": "Height, width and RGB; values 0 to 255.",
        "boxes": "x1, y1, x2, y2 of each person in image pixels.",
        "keypoints": "x, y of each person's joints in image pixels.",
        "scores": "0 to 1.",
    }
)
_NETWORK: Final = "network/"


def assemble(network: onnx.ModelProto, card: ModelCard) -> onnx.ModelProto:
    """Put the preset "accurate" around an exported network, in standard operators.

    Args:
        network: As `pose_onnx.exporters.stamp` writes it, of any precision.
        card: Its card.

    Returns:
        For keypoints: `image` (H, W, 3) uint8 RGB and `boxes` (N, 4) float32 give `keypoints` (N, K, 2)
        and `scores` (N, K). For a detector: `image` gives `boxes` (M, 4) and `scores` (M,), best first.
        Boxes are xyxy; all but the image is float32 and in image pixels.

    Raises:
        ExportError: A detector that does not find people.
    """
    inner = Graph.from_model(network)
    graph = Graph([], {}, [IMAGE], [])
    image = Value(graph, IMAGE.name, np.dtype(np.uint8))
    _WRITERS[card.task](image, inner, card)
    model = graph.to_model()
    model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    model.metadata_props.add(key=FORM_KEY, value="end_to_end")
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.doc_string = _MEANINGS[tensor.name]
    onnx.checker.check_model(model, full_check=True)
    return model


def _write_keypoints(image: Value, network: Graph, card: ModelCard) -> None:
    graph = image.graph
    graph.inputs.append(TensorInfo("boxes", TensorProto.FLOAT, ("N", 4)))
    boxes = Value(graph, "boxes", np.dtype(np.float32))
    people = boxes.shape(0)
    # Few networks run on no image at all: for nobody, one stand-in is run and left out.
    boxes = boxes.join(boxes.constant([[0, 0, 1, 1]]).first(1 - people), axis=0)
    crops = _crops.crop_geometry(boxes, card)
    pixels = _sampling.sample(image, crops, card.input_size)
    outputs = _insert(network, normalize(pixels, card))
    points_heatmap, scores = _dark.decode(outputs["heatmaps"], card, PRESET)
    keypoints = _crops.to_image(points_heatmap, crops, card)
    _output(keypoints.first(people), "keypoints", ("N", len(card.keypoints), 2))
    _output((scores * crops.valid.cast(np.float32)).first(people), "scores", ("N", len(card.keypoints)))


def _write_boxes(image: Value, network: Graph, card: ModelCard) -> None:
    outputs = _insert(network, normalize(resize_cubic(image, card.input_size), card))
    boxes_input, scores = _boxes.select(outputs["boxes"], outputs["scores"], card, PRESET)
    _output(_boxes.to_image(boxes_input, image, card), "boxes", ("M", 4))
    _output(scores, "scores", ("M",))


_WRITERS: Final[Mapping[str, Callable[[Value, Graph, ModelCard], None]]] = MappingProxyType(
    {"keypoints": _write_keypoints, "detect": _write_boxes}
)


def _insert(network: Graph, tensor: Value) -> dict[str, Value]:
    """Append a network to the graph of its input; return its outputs by name."""
    graph = tensor.graph
    names = {network.inputs[0].name: tensor.name, "": ""}

    def name(inner: str) -> str:
        return names.get(inner, f"{_NETWORK}{inner}")

    for node in network.nodes:
        inputs, outputs = ([name(item) for item in items] for items in (node.inputs, node.outputs))
        graph.nodes.append(replace(node, inputs=inputs, outputs=outputs, name=name(node.name)))
    graph.constants |= {name(key): array for key, array in network.constants.items()}
    return {item.name: Value(graph, name(item.name), np.dtype(np.float32)) for item in network.outputs}


def _output(value: Value, name: str, shape: tuple[int | str, ...]) -> None:
    value.rename(name)
    value.graph.outputs.append(TensorInfo(name, TensorProto.FLOAT, shape))
