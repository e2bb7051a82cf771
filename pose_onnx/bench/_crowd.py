"""Make a picture with any number of people from a picture with a few."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.images import decode_image
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import InputError
from pose_onnx.pose_estimator import PoseEstimator

LOWEST_SCORE: Final = 0.1
"""Boxes with lower scores are noise; a detector gives hundreds of them."""
LONGEST_SIDE: Final = 1280
"""Longest side of a crowd's picture, pixels. Tiles are scaled down so that the picture does not exceed it."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """A picture in which exactly the wanted number of people is found.

    Attributes:
        jpeg: The picture, as the content of a file.
        threshold: The box threshold needed for that.
    """

    jpeg: bytes
    threshold: float


def gather(image: Image, people: int, arguments: Mapping[str, Any]) -> Crowd:
    """Repeat a picture until it holds enough people, and choose a threshold that finds exactly that many.

    Args:
        image: (H, W, 3) uint8, BGR, with one person or more.
        people: How many are wanted.
        arguments: Arguments of `PoseEstimator`, for what finds them.

    Raises:
        InputError: Nobody is in the picture, or repeating it does not give enough people.
    """
    if people < 1:
        raise InputError(f"people={people!r} was given; give a whole number of 1 or more")
    with PoseEstimator(**arguments) as model:
        here = len(model(image))
    if not here:
        raise InputError("nobody is found in the picture; give one with people, as large as possible")
    _, encoded = cv2.imencode(".jpg", repeat_picture(image, -(-people // here)))
    jpeg: bytes = encoded.tobytes()
    with PoseEstimator(**{**arguments, "threshold": LOWEST_SCORE}) as model:
        scores = model(decode_image(jpeg, "the repeated picture")).box_scores
    return Crowd(jpeg, threshold_for(scores, people))


def repeat_picture(image: Image, copies: int) -> Image:
    """Return a picture that repeats another at least `copies` times, in a nearly square grid.

    Args:
        image: (H, W, 3) uint8.
        copies: 1 or more.

    Returns:
        (h, w, 3) uint8, no side longer than `LONGEST_SIDE` unless that of `image` is.
    """
    columns = math.ceil(math.sqrt(copies))
    rows = math.ceil(copies / columns)
    height, width = image.shape[:2]
    factor = min(1, max(LONGEST_SIDE, height, width) / max(rows * height, columns * width))
    size = max(1, int(width * factor)), max(1, int(height * factor))
    tile = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.tile(tile, (rows, columns, 1))


def threshold_for(scores: F32, people: int) -> float:
    """Return a threshold with exactly `people` scores above it.

    Non-maximum suppression goes from the best box to the worst, so what it keeps above a threshold does not
    depend on the boxes below.

    Args:
        scores: (N,) float32, best first, above `LOWEST_SCORE`.
        people: How many are wanted, 1 or more.

    Raises:
        InputError: There are fewer scores.
    """
    if len(scores) < people:
        raise InputError(
            f"only {len(scores)} of {people} people are found in the repeated picture; give one with "
            "larger or more people, or another detector"
        )
    return float(np.mean([*scores, LOWEST_SCORE][people - 1 : people + 1]))
