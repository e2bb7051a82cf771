"""The material from which an export writes files, and the candidate files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.passes import FOR_ORT, Pass, rewrite
from pose_onnx.exporters.quantize.layers import Layer, layers_of
from pose_onnx.exporters.quantize.ranges import Ranges, measure_ranges
from pose_onnx.exporters.quantize.sensitivity import rank_layers


@dataclass(frozen=True)
class Material:
    """The data from which files are written.

    Attributes:
        graph: the finished float32 graph.
        card: the model's card.
        samples: (M, 3, H, W) calibration inputs; empty if no precision needs them.
        shares: shares of the layers to leave in float32; a static precision has a candidate for each.
        passes: passes for ONNX files in float.
    """

    graph: Graph
    card: ModelCard
    samples: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 3, 0, 0), np.float32))
    shares: Sequence[float] = ()
    passes: Sequence[Pass] = FOR_ORT

    @cached_property
    def for_ort(self) -> Graph:
        """The graph of ONNX files in float."""
        return rewrite(self.graph, self.passes)

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

    @property
    def kept(self) -> list[tuple[Layer, ...]]:
        """For each share, the layers to leave in float32."""
        return [self.ranked[: round(share * len(self.ranked))] for share in self.shares]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file.

    Attributes:
        content: of the file.
        kept: layers that stay in float32; None for a precision that does not select layers.
    """

    content: bytes
    kept: tuple[Layer, ...] | None = None
