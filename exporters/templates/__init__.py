"""Networks without their weights, made once from our definitions with Paddle and paddle2onnx.

A template is the ONNX graph of a network in which each parameter is a hole with the parameter's name. Filled
with a checkpoint's parameters, it is byte for byte the model that paddle2onnx would make of that checkpoint.
So a checkpoint becomes ONNX and TFLite without Paddle. `python -m pose_onnx.exporters.templates` writes them
anew.
"""

from __future__ import annotations

from pose_onnx.exporters.templates._file import Proof, Template, make_template, read_template, template_name
from pose_onnx.exporters.templates._find import find_template

__all__ = ["Proof", "Template", "find_template", "make_template", "read_template", "template_name"]
