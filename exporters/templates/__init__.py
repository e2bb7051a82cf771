"""Networks without weights, made once from our definitions with Paddle and paddle2onnx.

A template is the ONNX graph of a network with a named placeholder for each parameter. Filled with the
parameters of a checkpoint, it is byte for byte the model that paddle2onnx would make of that checkpoint. So
checkpoints are converted to ONNX and TFLite without Paddle. `python -m pose_onnx.exporters.templates`
rebuilds the templates.
"""

from __future__ import annotations

from pose_onnx.exporters.templates._file import Proof, Template, make_template, read_template, template_name
from pose_onnx.exporters.templates._find import find_template

__all__ = ["Proof", "Template", "find_template", "make_template", "read_template", "template_name"]
