"""What an export has to write files from, and the files that it may choose among."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.passes import FOR_ORT, rewrite
from pose_onnx.exporters.quantize.exceptions import float_weights
from pose_onnx.exporters.quantize.insert import quantize_layers
from pose_onnx.exporters.quantize.layers import Layer, layers_of
from pose_onnx.exporters.quantize.ranges import Ranges, measure_ranges
from pose_onnx.exporters.quantize.sensitivity import rank_layers
from pose_onnx.exporters.quantize.store_int8 import STORE_INT8
from pose_onnx.exporters.quantize.tflite import calibrate, static_int8, weights_int8
from pose_onnx.exporters.stamp import stamp
from pose_onnx.exporters.tflite import convert


@dataclass(frozen=True)
class Material:
    """What files are written from.

    Attributes:
        graph: the finished float32 graph.
        card: the model's card.
        samples: (M, 3, H, W) calibration inputs; empty where no precision asks for them.
        shares: of the layers, to leave in float32; a static precision gives a candidate for each.
    """

    graph: Graph
    card: ModelCard
    samples: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 3, 0, 0), np.float32))
    shares: Sequence[float] = ()

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The graph's convolutions, in its order."""
        return layers_of(self.graph)

    @cached_property
    def ranges(self) -> Ranges:
        """Smallest and largest values around each layer, over the samples."""
        names = [name for layer in self.layers for name in (layer.source, layer.result)]
        return measure_ranges(self.graph, self.samples, names)

    @cached_property
    def ranked(self) -> tuple[Layer, ...]:
        """The layers, the one that int8 hurts most first."""
        return rank_layers(self.graph, self.ranges, self.samples, self.card)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file.

    Attributes:
        content: of the file.
        kept: layers that stay in float32; None for a precision that is not about layers.
    """

    content: bytes
    kept: tuple[Layer, ...] | None = None


def onnx_file(graph: Graph, card: ModelCard) -> bytes:
    """Write a graph with its card as ONNX."""
    return bytes(stamp(graph, card).SerializeToString())


def tflite_file(graph: Graph, card: ModelCard, weights: Literal["float32", "float16"] = "float32") -> bytes:
    """Write a graph with its card as TFLite; all computation is float32."""
    return convert(stamp(graph, card), weights=weights, metadata={CARD_KEY: card.to_json().encode()})


def onnx_weights(material: Material) -> Iterator[Candidate]:
    """Give ONNX whose weights are int8."""
    graph = rewrite(material.graph, FOR_ORT)
    yield Candidate(onnx_file(rewrite(graph, [STORE_INT8]), material.card), float_weights(layers_of(graph)))


def tflite_weights(material: Material) -> Iterator[Candidate]:
    """Give TFLite whose weights are int8."""
    kept = float_weights(material.layers)
    yield Candidate(weights_int8(tflite_file(material.graph, material.card), kept), kept)


def onnx_static(material: Material) -> Iterator[Candidate]:
    """Give ONNX whose convolutions compute in int8, all first, then fewer and fewer."""
    for kept in _steps(material):
        rest = [layer for layer in material.layers if layer not in kept]
        yield Candidate(
            onnx_file(quantize_layers(material.graph, rest, material.ranges), material.card), kept
        )


def tflite_static(material: Material) -> Iterator[Candidate]:
    """Give TFLite whose convolutions compute in int8, all first, then fewer and fewer."""
    content = tflite_file(material.graph, material.card)
    calibrated = calibrate(content, material.samples)
    for kept in _steps(material):
        yield Candidate(static_int8(content, calibrated, kept), kept)


def _steps(material: Material) -> Iterator[tuple[Layer, ...]]:
    for share in material.shares:
        yield material.ranked[: round(share * len(material.ranked))]
