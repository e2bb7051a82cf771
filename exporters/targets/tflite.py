"""TFLite files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import onnx

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.stamp import check_contract
from pose_onnx.exporters.targets.material import Candidate, Material
from pose_onnx.exporters.tflite import Expected, demand_parity, expect, lower

Weights = Literal["float32", "float16"]


def tflite_file(graph: Graph, card: ModelCard, weights: Weights = "float32") -> bytes:
    """Write a graph with its card as TFLite; all computation is float32. What it computes is not checked."""
    check_contract(graph, card)
    return lower(graph, weights=weights, metadata={CARD_KEY: card.to_json().encode()})


def float32(material: Material) -> Iterator[Candidate]:
    """Give the file whose weights are float32."""
    yield Candidate(tflite_file(material.graph, material.card))


def float16_weights(material: Material) -> Iterator[Candidate]:
    """Give the file whose weights are float16."""
    yield Candidate(tflite_file(material.graph, material.card, weights="float16"))


def check_float32(file: Path, reference: Path) -> None:
    """Check that a file of `float32` computes the same as the ONNX file.

    Raises:
        DisparityError: It does not.
    """
    demand_parity(_expected(reference), file.read_bytes(), "float32")


def check_float16(file: Path, reference: Path) -> None:
    """Check that a file of `float16_weights` computes the same as the ONNX file.

    Raises:
        DisparityError: It does not.
    """
    demand_parity(_expected(reference), file.read_bytes(), "float16")


def _expected(reference: Path) -> Expected:
    return expect(Graph.from_model(onnx.load(reference)))
