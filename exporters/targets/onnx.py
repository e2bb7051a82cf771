"""ONNX files."""

from __future__ import annotations

from collections.abc import Iterator

from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.passes.halve_weights import HALVE_WEIGHTS
from pose_onnx.exporters.stamp import stamp
from pose_onnx.exporters.targets.material import Candidate, Material


def float32(material: Material) -> Iterator[Candidate]:
    """Give the file whose weights and computation are float32."""
    yield Candidate(stamp(material.for_ort, material.card))


def float16_weights(material: Material) -> Iterator[Candidate]:
    """Give the file whose weights are float16; all computation is float32."""
    yield Candidate(stamp(rewrite(material.for_ort, [HALVE_WEIGHTS]), material.card))
