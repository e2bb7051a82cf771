"""Compares an end-to-end file with the core on a photo. Exports must pass; receipts hold the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, Image
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.verify import Measured


def compare_with_core(file: Path, network: Path, card: ModelCard, image_bgr: Image) -> list[Measured]:
    """Measure the difference between an end-to-end file and the core with the network's file, on one photo.

    Args:
        file: The end-to-end file.
        network: The file that it was made from.
        card: Its card.
        image_bgr: (H, W, 3) uint8, BGR.
    """
    stage = f"{file.stem.removeprefix(card.name).strip('_')} vs the core"
    results = export_of(card).compare(file, network, image_bgr)
    return [
        Measured(stage, "photo", name, _difference(results.found[name], expected), results.bars[name])
        for name, expected in results.expected.items()
    ]


def _difference(found: F32, expected: F32) -> float:
    """Return the largest difference; infinity if the two found different people."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max(initial=0))
