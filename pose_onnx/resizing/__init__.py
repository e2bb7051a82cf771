"""Methods to bring a whole picture to the size of a network's input.

A method is one file here and one line in `RESIZERS`; a card names it as `input.resize`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pose_onnx.core.arrays import Image
from pose_onnx.resizing._resized import Resized, next_multiple
from pose_onnx.resizing.fit import fit
from pose_onnx.resizing.fix import fix
from pose_onnx.resizing.keep import keep, kept_size
from pose_onnx.resizing.pad import MULTIPLE, pad
from pose_onnx.resizing.stretch import stretch

__all__ = ["MULTIPLE", "RESIZERS", "Resized", "kept_size", "next_multiple"]

RESIZERS: Final[Mapping[str, Callable[[Image, tuple[int, int]], Resized]]] = MappingProxyType(
    {"stretch": stretch, "fix": fix, "keep": keep, "fit": fit, "pad": pad}
)
"""By name: from (H, W, 3) uint8 pixels and the input's height and width to `Resized`."""
