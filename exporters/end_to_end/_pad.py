"""A two-stage detector's input inside the graph: one factor for both sides, and padding with zeros."""

from __future__ import annotations

import numpy as np

from pose_onnx.cards.input import InputSpec
from pose_onnx.exporters.end_to_end._normalize import normalize
from pose_onnx.exporters.end_to_end._resize import resize_cubic_by
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.resizing import MULTIPLE


def pad(image: Value, spec: InputSpec) -> tuple[Value, Value]:
    """Resize a picture as `pose_onnx.resizing.pad`, normalise it, and pad it.

    Args:
        image: (H, W, 3) uint8.
        spec: The card's input.

    Returns:
        The input (1, 3, h, w), float32, whose sides are multiples of `MULTIPLE`, and the image pixels per
        input pixel, (1,) float32.
    """
    sides = image.shape(0).join(image.shape(1), axis=0).cast(np.float64)
    shorter, longer = (sides.reduce(kind, 0) for kind in ("Min", "Max"))
    factor = (float(min(spec.size)) / shorter).apply("Min", float(max(spec.size)) / longer)
    exact = sides * factor
    is_thin = (shorter * factor).apply("Less", 1.0, dtype=np.bool_)
    whole = is_thin.where(exact.apply("Floor").apply("Max", 1.0), exact.apply("Round"))
    steps = is_thin.where(sides / whole, 1.0 / factor)
    size = whole.cast(np.int64)
    tensor = normalize(resize_cubic_by(image, size, steps), spec)
    spare = (size + (MULTIPLE - 1)) / MULTIPLE * MULTIPLE - size
    padding = spare.constant(np.zeros(6)).join(spare, axis=0)  # before all four axes, after two of them
    return tensor.apply("Pad", padding), (1.0 / factor).cast(np.float32)
