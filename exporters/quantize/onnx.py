"""int8 in ONNX."""

from __future__ import annotations

from collections.abc import Iterator

from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.passes.spell_out_sigmoid import SPELL_OUT_SIGMOID
from pose_onnx.exporters.quantize.exceptions import float_weights
from pose_onnx.exporters.quantize.insert import quantize_layers
from pose_onnx.exporters.quantize.layers import layers_of
from pose_onnx.exporters.quantize.store_int8 import STORE_INT8
from pose_onnx.exporters.stamp import stamp
from pose_onnx.exporters.targets.material import Candidate, Material


def int8_weights(material: Material) -> Iterator[Candidate]:
    """Yield the file with int8 weights."""
    graph = material.for_ort
    yield Candidate(stamp(rewrite(graph, [STORE_INT8]), material.card), float_weights(layers_of(graph)))


def int8(material: Material) -> Iterator[Candidate]:
    """Yield files whose convolutions compute in int8: first all of them, then fewer and fewer."""
    graph = rewrite(material.graph, [SPELL_OUT_SIGMOID])
    for kept in material.kept:
        rest = [layer for layer in material.layers if layer not in kept]
        yield Candidate(stamp(quantize_layers(graph, rest, material.ranges), material.card), kept)
