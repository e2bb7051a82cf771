"""TFLite files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.stamp import stamp
from pose_onnx.exporters.targets.material import Candidate, Material
from pose_onnx.exporters.tflite import convert


def tflite_file(graph: Graph, card: ModelCard, weights: Literal["float32", "float16"] = "float32") -> bytes:
    """Write a graph with its card as TFLite; all computation is float32."""
    return convert(stamp(graph, card), weights=weights, metadata={CARD_KEY: card.to_json().encode()})


def float32(material: Material) -> Iterator[Candidate]:
    """Give the file whose weights are float32."""
    yield Candidate(tflite_file(material.graph, material.card))


def float16_weights(material: Material) -> Iterator[Candidate]:
    """Give the file whose weights are float16."""
    yield Candidate(tflite_file(material.graph, material.card, weights="float16"))
