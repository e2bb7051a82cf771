"""What made results: digests of the models, so that a changed file is not taken for the one before."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import resolve_model
from pose_onnx.files import sha256_of
from pose_onnx.pairs import DEFAULT_QUALITY, find_pair
from pose_onnx.pose_estimator import PoseEstimator


def model_digests(role: str, file: str | os.PathLike[str], card: ModelCard) -> dict[str, str]:
    """Return SHA-256 digests of a model file and of its card, which may come from elsewhere.

    Args:
        role: What the model does, such as "pose": the names of the digests begin with it.
        file: The model file, or folder.
        card: How it is run.
    """
    text = card.to_json().encode()
    return {f"{role}_sha256": sha256_of(file), f"{role}_card_sha256": hashlib.sha256(text).hexdigest()}


def estimator_digests(
    estimator: PoseEstimator,
    detector: str | os.PathLike[str] | None = None,
    pose: str | os.PathLike[str] | None = None,
    quality: str = DEFAULT_QUALITY,
    backend: str = "ort",
    precision: str = "fp32",
    **others: Any,
) -> dict[str, str]:
    """Return the digests of both models of an estimator, which was made with these arguments."""
    del others
    pair = find_pair(quality)
    detector, pose = detector or pair.detector, pose or pair.pose
    return {
        **model_digests("detector", resolve_model(detector, backend, precision), estimator.detector.card),
        **model_digests("pose", resolve_model(pose, backend, precision), estimator.pose.card),
    }
