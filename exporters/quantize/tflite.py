"""int8 in TFLite."""

from __future__ import annotations

from collections.abc import Iterator

from pose_onnx.exporters.quantize.ai_edge import calibrate, static_int8, weights_int8
from pose_onnx.exporters.quantize.exceptions import float_weights
from pose_onnx.exporters.targets.material import Candidate, Material
from pose_onnx.exporters.targets.tflite import tflite_file
from pose_onnx.exporters.tflite import demand_parity, expect


def int8_weights(material: Material) -> Iterator[Candidate]:
    """Yield the file with int8 weights."""
    kept = float_weights(material.layers)
    yield Candidate(weights_int8(_float_file(material), kept), kept)


def int8(material: Material) -> Iterator[Candidate]:
    """Yield files whose convolutions compute in int8: first all of them, then fewer and fewer."""
    content = _float_file(material)
    calibrated = calibrate(content, material.samples)
    for kept in material.kept:
        yield Candidate(static_int8(content, calibrated, kept), kept)


def _float_file(material: Material) -> bytes:
    """Write the float32 file that is quantised, and check what it computes."""
    content = tflite_file(material.graph, material.card)
    demand_parity(expect(material.graph), content)
    return content
