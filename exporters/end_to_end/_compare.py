"""An end-to-end file against the core, on a photo: what an export must pass, and its receipt tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, Image
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.verify import Measured


def compare_with_core(file: Path, network: Path, card: ModelCard, image_bgr: Image) -> list[Measured]:
    """Measure how far an end-to-end file is from the core with the network's own file, on one photo.

    Args:
        file: The end-to-end file.
        network: The file that it was made of.
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
    """Return the largest difference; infinity where one found other people than the other."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max(initial=0))
