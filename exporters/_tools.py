"""Are the packages of the extra "export" here? Asked before anything is started."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

from pose_onnx.errors import DependencyError

REQUIRED: Final = (
    "onnx",
    "paddle",
    "paddle2onnx",
    "yaml",
    "flatbuffers",
    "ai_edge_litert",
    "ai_edge_quantizer",
)


def demand_tools() -> None:
    """Check that all are installed.

    Raises:
        DependencyError: names what is missing, and the command that installs it.
    """
    missing = [name for name in REQUIRED if find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"exporting needs {', '.join(missing)}, not installed for Python {sys.version_info[0]}."
            f"{sys.version_info[1]}; with Python 3.10 to 3.12 run: pip install 'pose-onnx[export]'"
        )
