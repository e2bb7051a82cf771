"""ONNX -> TFLite by our own lowering: a table of operators, one function each.

`table.py` maps ONNX operators to functions, which stand in one file per kind of operator. They read a
`Graph`, prepared by `_prepare.py`, and write the file (`_file.py`, `_operators.py`) through a `Builder`
(`_builder.py`), which decides what has to be moved between the layouts of the two formats (`_view.py`).
"""

from __future__ import annotations

from pose_onnx.exporters.tflite._convert import convert
from pose_onnx.exporters.tflite._errors import DisparityError, UnsupportedOperatorError

__all__ = ["DisparityError", "UnsupportedOperatorError", "convert"]
