"""An end-to-end file against the core, on a photo: what an export must pass, and its receipt tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.opencv import cv2
from pose_onnx.detector import Detector
from pose_onnx.exporters.verify import Arrays, Measured
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.poses import JOINT_THRESHOLD
from pose_onnx.runtimes import open_runtime

KEYPOINT_BARS: Final[Mapping[str, float]] = MappingProxyType({"keypoints": 0.05, "scores": 1e-4})
"""Largest differences allowed: image pixels for joints with a score of 0.2 or more; heatmap units."""
BOX_BARS: Final[Mapping[bool, Mapping[str, float]]] = MappingProxyType(
    {
        True: MappingProxyType({"boxes": 0.5, "scores": 2e-3}),
        False: MappingProxyType({"boxes": 2.0, "scores": 2e-2}),
    }
)
"""The same for boxes, image pixels and probability, by whether OpenCV uses Intel's IPP: see _resize.py."""
# Parts of the photo, x1, y1, x2, y2, that people are looked for in: one of them reaches outside.
_PARTS: Final = ((0.0, 0.0, 1.0, 1.0), (0.21, 0.13, 0.77, 0.98), (-0.1, 0.3, 0.5, 1.2))


def compare_with_core(file: Path, network: Path, card: ModelCard, image_bgr: Image) -> list[Measured]:
    """Measure how far an end-to-end file is from the core with the network's own file, on one photo.

    Args:
        file: The end-to-end file.
        network: The file that it was made of.
        card: Its card.
        image_bgr: (H, W, 3) uint8, BGR.
    """
    stage = f"{file.stem.removeprefix(card.name).strip('_')} vs the core"
    return _COMPARISONS[card.task](file, network, image_bgr, stage)


def _compare_keypoints(file: Path, network: Path, image_bgr: Image, stage: str) -> list[Measured]:
    height, width, _ = image_bgr.shape
    boxes = (np.array(_PARTS) * (width, height, width, height)).astype(np.float32)
    with KeypointModel(network, threads=1) as model:
        expected = model(image_bgr, boxes)
    found = _run(file, image_bgr, boxes=boxes)
    sure = expected.scores >= JOINT_THRESHOLD
    pairs = {
        "keypoints": (found["keypoints"][sure], expected.keypoints[sure]),
        "scores": (found["scores"], expected.scores),
    }
    return _measured(stage, pairs, KEYPOINT_BARS)


def _compare_boxes(file: Path, network: Path, image_bgr: Image, stage: str) -> list[Measured]:
    with Detector(network, threads=1) as detector:
        detector.select_people()
        expected = detector(image_bgr)
    found = _run(file, image_bgr)
    pairs = {"boxes": (found["boxes"], expected.boxes), "scores": (found["scores"], expected.scores)}
    return _measured(stage, pairs, BOX_BARS[cv2.ipp.useIPP()])


_COMPARISONS: Final[Mapping[str, Callable[[Path, Path, Image, str], list[Measured]]]] = MappingProxyType(
    {"keypoints": _compare_keypoints, "detect": _compare_boxes}
)


def _run(file: Path, image_bgr: Image, **others: F32) -> Arrays:
    runtime = open_runtime(file, threads=1)
    try:
        feeds: dict[str, Any] = {"image": np.ascontiguousarray(image_bgr[:, :, ::-1]), **others}
        return runtime.run(feeds)
    finally:
        runtime.close()


def _measured(stage: str, pairs: Mapping[str, tuple[F32, F32]], bars: Mapping[str, float]) -> list[Measured]:
    return [
        Measured(stage, "photo", name, _difference(found, expected), bars[name])
        for name, (found, expected) in pairs.items()
    ]


def _difference(found: F32, expected: F32) -> float:
    """Return the largest difference; infinity where one found other people than the other."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max(initial=0))
