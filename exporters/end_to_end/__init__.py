"""Writes one self-contained ONNX file per model, for use from other languages: docs/end-to-end.md."""

from __future__ import annotations

from pose_onnx.exporters.end_to_end._assemble import assemble
from pose_onnx.exporters.end_to_end._write import end_to_end_bytes, end_to_end_name, write_end_to_end

__all__ = ["assemble", "end_to_end_bytes", "end_to_end_name", "write_end_to_end"]
