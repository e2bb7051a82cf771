"""Converts ONNX to TFLite with our own lowering: a table of operators, one function each.

`table.py` maps ONNX operators to functions, in one file for each kind of operator. They read a `Graph` that
`_prepare.py` prepared, and write the file (`_file.py`, `_operators.py`) through a `Builder` (`_builder.py`).
The builder decides which tensors must be transposed between the layouts of the two formats (`_view.py`).
"""

from __future__ import annotations

from pose_onnx.exporters.tflite._convert import convert, lower
from pose_onnx.exporters.tflite._errors import DisparityError, UnsupportedOperatorError
from pose_onnx.exporters.tflite._parity import Expected, demand_parity, expect

__all__ = [
    "DisparityError",
    "Expected",
    "UnsupportedOperatorError",
    "convert",
    "demand_parity",
    "expect",
    "lower",
]
