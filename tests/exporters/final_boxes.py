"""The boxes that a folder finds in Paddle, its own suppression included, beside those of exported files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pose_onnx import Detector, load_image, read_card
from pose_onnx.core.arrays import F32
from pose_onnx.detector import detector_input
from pose_onnx.runtimes import backend_for

SCRIPT = Path(__file__).with_name("paddle_final_boxes.py")
PHOTO = Path(__file__).parents[2] / "models" / "photos" / "astronaut.jpg"
FEWEST, MOST = 20, 60
"""Boxes that a comparison must have left."""
BAR_PIXELS, BAR_SCORE = 0.01, 1e-4
"""In the picture's pixels, and probability."""


def compare_final_boxes(
    folder: Path, files: Sequence[Path], work: Path, size: tuple[int, int] | None = None, photo: Path = PHOTO
) -> None:
    """Compare files exported from a folder with the folder itself, on a photo, or its middle of this size.

    The threshold is in the widest gap of Paddle's scores: a box at the threshold would be here in one engine
    and not in another.
    """
    image = load_image(photo)
    if size is not None:
        top, left = (np.array(image.shape[:2]) - size) // 2
        image = np.ascontiguousarray(image[top : top + size[0], left : left + size[1]])
    spec = read_card(files[0]).picture
    tensor, resized = detector_input(image, spec)
    # As deploy/python/preprocess.py: a picture that is not resized has its own size.
    sides = image.shape[:2] if spec.resize == "fit" else resized.pixels.shape[:2]
    shape = np.array([sides], np.float32)
    scale = (1 / resized.scale[None, 1::-1]).astype(np.float32)
    expected = _run(folder, work, image=tensor, im_shape=shape, scale_factor=scale)
    # As deploy/python/infer.py: boxes without an area have no class.
    expected = expected[expected[:, 0] >= 0]
    expected = expected[np.argsort(-expected[:, 1], kind="stable")]
    assert len(expected) > FEWEST
    last = FEWEST + int(np.argmax(-np.diff(expected[FEWEST - 1 : MOST, 1])))
    threshold = float(expected[last - 1 : last + 1, 1].mean())
    for file in files:
        with Detector(file, backend=backend_for(file), preset="paddle", threshold=threshold) as detector:
            found = detector(image)
        assert len(found.boxes) == last
        for label, score, *box in expected[:last]:
            same = found.labels == label
            # Of boxes on the same place, the one with this score.
            apart = np.abs(found.boxes[same] - np.array(box)).max(axis=1) / BAR_PIXELS
            other = np.abs(found.scores[same] - score) / BAR_SCORE
            assert np.maximum(apart, other).min() <= 1


def _run(folder: Path, work: Path, **inputs: F32) -> F32:
    np.savez(work / "inputs.npz", **inputs)  # type: ignore[arg-type]  # of NumPy's stub
    is_pir = str(int(any(folder.glob("*.json"))))
    flags = {"FLAGS_enable_pir_api": is_pir, "FLAGS_use_mkldnn": "0", "GLOG_minloglevel": "2"}
    subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT, folder, work / "inputs.npz", work / "boxes.npy"],
        check=True,
        capture_output=True,
        env={**os.environ, **flags, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    boxes: F32 = np.load(work / "boxes.npy")
    return boxes
