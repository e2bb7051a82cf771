"""What each choice of the "accurate" preset is worth in COCO AP, against the preset itself.

    python benchmarks/accuracy_choices.py --annotations JSON --images DIR --pose FILE.onnx

Uses annotated boxes, ONNX Runtime and float32. The interval is for the difference from the preset, over the
same pictures drawn with replacement: if it contains 0, this data cannot tell the choice from the preset.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_onnx import PRESETS, KeypointModel, Preset
from pose_onnx.core.arrays import F64, Image
from pose_onnx.core.crops import full_image_crops
from pose_onnx.core.warping import warp
from pose_onnx.evaluation import Dataset, InBoxes, TruthBoxes, bootstrap_difference, keypoint_metrics, predict

ACCURATE = PRESETS["accurate"]

Change = Callable[[], AbstractContextManager[object]]


@contextmanager
def cubic() -> Iterator[None]:
    """Resample bicubically."""
    with patch("pose_onnx.core.warping.cv2.INTER_LINEAR", cv2.INTER_CUBIC):
        yield


@contextmanager
def antialiased() -> Iterator[None]:
    """Smooth a picture before it is made more than 1.5 times smaller."""

    def smooth_warp(
        image: Image, image_to_input: F64, regions: NDArray[np.int64], size: tuple[int, int]
    ) -> Iterator[Image]:
        for person, region in zip(image_to_input, regions, strict=True):
            shrink = 1 / person[0, 0]
            smooth = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink) if shrink > 1.5 else image  # noqa: PLR2004
            yield warp(np.asarray(smooth, np.uint8), person, region, size)

    with patch("pose_onnx.core.keypoints.warp_all", smooth_warp):
        yield


VARIANTS: dict[str, tuple[Preset, bool, Change]] = {
    "accurate": (ACCURATE, False, nullcontext),
    "flip": (ACCURATE, True, nullcontext),
    "preset paddle": (PRESETS["paddle"], False, nullcontext),
    **{
        f"padding {value}": (
            replace(ACCURATE, crops=partial(full_image_crops, padding=value)),
            False,
            nullcontext,
        )
        for value in (1.0, 1.05, 1.1, 1.2, 1.25, 1.3)
    },
    **{
        f"blur kernel {value}": (replace(ACCURATE, blur_kernel=value), False, nullcontext)
        for value in (1, 5, 7, 11)
    },
    **{
        f"longest step {value}": (replace(ACCURATE, max_step=value), False, nullcontext)
        for value in (None, 0.0, 0.5)
    },
    "bicubic crop": (ACCURATE, False, cubic),
    "antialiased crop": (ACCURATE, False, antialiased),
}


def evaluate(dataset: Dataset, pose: Path, variant: tuple[Preset, bool, Change]) -> tuple[float, Any]:
    """Return AP in percent and the evaluation."""
    preset, flip, change = variant
    with KeypointModel(pose, preset=preset, flip=flip) as model, change(), TemporaryDirectory() as folder:
        people_of = InBoxes(TruthBoxes(dataset), model)
        results = list(predict(dataset, people_of, Path(folder), {}))
    people = [person for item in results for person in item["people"]]
    figures, evaluation = keypoint_metrics(dataset, people, dataset.image_ids)
    return figures["AP"], evaluation


def main() -> None:
    """Print one line per choice."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--pose", type=Path, required=True)
    args = parser.parse_args()
    dataset = Dataset(args.annotations, args.images)
    base = None
    for name, variant in VARIANTS.items():
        figure, evaluation = evaluate(dataset, args.pose, variant)
        base = base or evaluation
        low, high = bootstrap_difference(evaluation, base)
        print(f"{name:<20} {figure:6.2f}   against accurate: {low:+.1f} to {high:+.1f}", flush=True)


if __name__ == "__main__":
    main()
