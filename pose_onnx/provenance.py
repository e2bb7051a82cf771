"""The origin of results: digests of the models, so that a changed file is not mistaken for the original."""

from __future__ import annotations

import hashlib
import os

from pose_onnx.cards.card import ModelCard
from pose_onnx.files import sha256_of


def model_digests(role: str, file: str | os.PathLike[str] | None, card: ModelCard) -> dict[str, str]:
    """Return SHA-256 digests of a model file and of its card, which may come from elsewhere.

    Args:
        role: What the model does, such as "pose": the names of the digests begin with it.
        file: The model file, or folder; `None` for a model that came without one, which has no digest.
        card: How it is run.
    """
    text = card.to_json().encode()
    of_file = {} if file is None else {f"{role}_sha256": sha256_of(file)}
    return {**of_file, f"{role}_card_sha256": hashlib.sha256(text).hexdigest()}
