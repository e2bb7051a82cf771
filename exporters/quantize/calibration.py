"""Calibration inputs: the network inputs that our own pipeline makes from a folder of photos."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import InputError
from pose_onnx.exporters.outputs import export_of
from pose_onnx.image_files import IMAGE_SUFFIXES

F32 = NDArray[np.float32]
SAMPLES: Final = 64
"""Inputs that calibration looks at, at most."""
FEWEST: Final = 8
"""Fewer say too little about how large a tensor's values get."""


def calibration_samples(folder: Path, card: ModelCard) -> F32:
    """Make network inputs from photos, in the order of their names.

    For a detector each photo is one input; for a keypoint model, each person that the built-in detector
    finds.

    Args:
        folder: folder of photos.
        card: the network's card.

    Returns:
        (M, 3, H, W) float32, M up to `SAMPLES`.

    Raises:
        InputError: there is no such folder, or it has too few photos or people.
    """
    if not folder.is_dir():
        raise InputError(
            f"{str(folder)!r} is not a folder; give --calibration a folder of photos with people"
        )
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    kind = export_of(card)
    samples = list(islice(kind.samples(photos, card), SAMPLES))
    if len(samples) < FEWEST:
        raise InputError(
            f"{str(folder)!r} contains {len(samples)} {kind.sample}, too few to calibrate int8; give "
            f"{FEWEST} to {SAMPLES}"
        )
    return np.stack(samples)
