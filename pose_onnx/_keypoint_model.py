"""Find keypoints: image and boxes in, poses out."""

from __future__ import annotations

import os
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from pose_onnx._card import ModelCard
from pose_onnx._errors import InputError
from pose_onnx._geometry import Crops
from pose_onnx._image import load_image
from pose_onnx._keypoints import keypoint_input, merge_mirrored, read_keypoints
from pose_onnx._model import INPUT_NAME, CardLike, Closing, ModelLike, open_model
from pose_onnx._presets import Preset, find_preset
from pose_onnx._types import BOX, F32, Image, Poses
from pose_onnx.runtimes import Runtime

BATCH_SIZE: Final = 8
"""People in one run of the network, at most: the gain of batching is spent there, memory is not."""


class KeypointModel(Closing):
    """A top-down keypoint model.

    Args:
        model: Official name, or path of an exported file.
        card: For a file without a card: a card, its name, or the path of a card file.
        backend: Which engine runs it.
        threads: Threads inside one model run; every core when `None`.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        flip: Run each crop mirrored too and average: better points for twice the time.
        batch_size: People in one run of the network, at most (half as many with `flip`).
        options: Handed to the backend, for example `providers=[...]`.

    Raises:
        PoseOnnxError: One of its kinds, with what to do; see `pose_onnx._errors`.
    """

    def __init__(
        self,
        model: ModelLike,
        *,
        card: CardLike | None = None,
        backend: str = "ort",
        threads: int | None = None,
        preset: Preset | str = "accurate",
        flip: bool = False,
        batch_size: int = BATCH_SIZE,
        **options: Any,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size={batch_size!r} was given; give a whole number of 1 or more")
        self.preset = find_preset(preset)
        self.flip = flip
        self.batch_size = max(1, batch_size // 2) if flip else batch_size
        self.card: ModelCard
        self.runtime: Runtime
        self.card, self.runtime = open_model(model, "keypoints", card, backend, threads, options)

    def __call__(
        self,
        image: Image | str | os.PathLike[str],
        boxes: ArrayLike,
        *,
        box_scores: ArrayLike | None = None,
        color: Literal["bgr", "rgb"] = "bgr",
    ) -> Poses:
        """Find the keypoints of the people in the given boxes.

        Args:
            image: Path, or (H, W, 3) uint8 array.
            boxes: (N, 4) numbers, xyxy, image pixels. May reach outside the image. A box without area gives
                keypoints at its centre with score 0.
            box_scores: (N,) numbers; 1 each when `None`.
            color: Channel order of an array.

        Returns:
            N poses, in the order of `boxes`.

        Raises:
            InputError: The image or the boxes cannot be used.
        """
        pixels = load_image(image, color=color)
        people = check_boxes(boxes)
        scores = check_box_scores(box_scores, len(people))
        crops = self.preset.crops(
            people, (pixels.shape[0], pixels.shape[1]), self.card.input_size, self.card.heatmap.stride
        )
        keypoints = np.empty((len(people), len(self.card.keypoints), 2), np.float32)
        joint_scores = np.empty(keypoints.shape[:2], np.float32)
        for start in range(0, len(people), self.batch_size):
            chunk = slice(start, start + self.batch_size)
            keypoints[chunk], joint_scores[chunk] = self._run(pixels, crops[chunk])
        return Poses(keypoints, joint_scores, people, scores, self.card.keypoints)

    def _run(self, pixels: Image, crops: Crops) -> tuple[F32, F32]:
        tensor = keypoint_input(pixels, crops, self.card)
        if self.flip:
            tensor = np.concatenate([tensor, tensor[..., ::-1]])
        heatmaps = self.runtime.run({INPUT_NAME: tensor})["heatmaps"]
        if self.flip:
            heatmaps = merge_mirrored(heatmaps[: len(crops.valid)], heatmaps[len(crops.valid) :], self.card)
        return read_keypoints(heatmaps, crops, self.card, self.preset)

    def close(self) -> None:
        """Release the engine."""
        self.runtime.close()


def check_boxes(boxes: ArrayLike) -> F32:
    """Return boxes as a new (N, 4) float32 array.

    Raises:
        InputError: Not (N, 4) numbers, not finite, or with x2 < x1 or y2 < y1.
    """
    try:
        array = np.array(boxes, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError("boxes are not numbers; give (N, 4) xyxy in image pixels") from error
    if array.size == 0:
        return np.empty((0, BOX), np.float32)
    if array.ndim != 2 or array.shape[1] != BOX:  # noqa: PLR2004 (people x coordinates)
        raise InputError(f"boxes have shape {array.shape}; give (N, 4) xyxy in image pixels")
    wrong = ~np.isfinite(array).all(axis=1) | (array[:, 2:] < array[:, :2]).any(axis=1)
    if wrong.any():
        index = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"box {index} is {array[index].tolist()}; give finite x1, y1, x2, y2 with x1 <= x2 and y1 <= y2"
        )
    return array


def check_box_scores(scores: ArrayLike | None, count: int) -> F32:
    """Return box scores as a new (N,) float32 array.

    Raises:
        InputError: Not one number a box.
    """
    array = np.ones(count, np.float32) if scores is None else np.array(scores, np.float32)
    if array.shape != (count,):
        raise InputError(f"box_scores have shape {array.shape}; give one number for each of {count} boxes")
    return array
