"""One self-contained ONNX file per model, for every other language: docs/end-to-end.md."""

from __future__ import annotations

from pose_onnx.exporters.end_to_end._assemble import assemble
from pose_onnx.exporters.end_to_end._write import write_end_to_end

__all__ = ["assemble", "write_end_to_end"]
