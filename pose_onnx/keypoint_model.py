"""Find keypoints: image and boxes in, poses out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, Final, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from pose_onnx.buffers import Buffers
from pose_onnx.cards.card import ModelCard
from pose_onnx.closing import Closing
from pose_onnx.concurrency.lanes import Lanes
from pose_onnx.core.arrays import BOX, F32, Image
from pose_onnx.core.crops import Crops
from pose_onnx.core.keypoints import keypoint_input, keypoints_in_image
from pose_onnx.errors import InputError
from pose_onnx.image_files import load_image
from pose_onnx.loading import INPUT_NAME, CardLike, ModelLike, open_model
from pose_onnx.outputs import KeypointOutput, Tensors
from pose_onnx.poses import Poses
from pose_onnx.presets import Preset, find_preset
from pose_onnx.runtimes import Runtime, default_threads, is_parallel
from pose_onnx.runtimes._checks import check_threads

RUN_PIXELS: Final = 2 * 256 * 192
"""Pixels of all crops in one run of the network, for each thread inside it: more of them leave the cache
between two operators (docs/runtimes.md)."""


class Scene(NamedTuple):
    """An image, and where people are in it.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4) float32, xyxy, image pixels.
        box_scores: (N,) float32.
    """

    image: Image
    boxes: F32
    box_scores: F32


class KeypointModel(Closing):
    """A top-down keypoint model.

    Args:
        model: Official name, or path of an exported file.
        card: For a file without a card: a card, its name, or the path of a card file.
        backend: Which engine runs it.
        threads: Threads at work in one call; every core when `None`. Each takes some of the people.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        flip: Run each crop mirrored too and average: better points for twice the time.
        batch_size: People in one run of the network, at most (half as many with `flip`); by the size of the
            network's input when `None`.
        options: Handed to the backend, for example `providers=[...]`.

    Raises:
        PoseOnnxError: One of its kinds, with what to do; see `pose_onnx.errors`.
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
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size={batch_size!r} was given; give a whole number of 1 or more")
        threads = default_threads() if threads is None else check_threads(threads)
        self.preset = find_preset(preset)
        self.flip = flip
        # People on threads of their own, rather than threads inside a run, wherever the engine can do that.
        inside, beside = (1, threads) if is_parallel(backend) else (threads, 1)
        self.card: ModelCard
        self.runtime: Runtime
        self.card, self.runtime = open_model(model, "keypoints", card, backend, inside, options)
        self.output = cast("KeypointOutput", self.card.output)
        batch_size = batch_size or inside * RUN_PIXELS // int(np.prod(self.card.input.size))
        self.batch_size = max(1, batch_size // 2 if flip else batch_size)
        self.lanes = Lanes(beside)
        self._buffers = Buffers()

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
        return self.find_all([Scene(pixels, people, scores)], self.lanes)[0]

    def find_all(self, scenes: Sequence[Scene], lanes: Lanes) -> list[Poses]:
        """Find the keypoints of the people in several images, batched across them.

        Args:
            scenes: The images, and where people are in each.
            lanes: The threads that the batches are shared out to.

        Returns:
            The poses of each image.
        """
        if not scenes:
            return []
        crops = Crops.join([self._crops(scene) for scene in scenes])
        images = [scene.image for scene in scenes for _ in range(len(scene.boxes))]
        keypoints = np.empty((len(images), len(self.card.keypoints), 2), np.float32)
        scores = np.empty(keypoints.shape[:2], np.float32)

        def run(batch: slice) -> None:
            keypoints[batch], scores[batch] = self._run(images[batch], crops[batch])

        lanes.run(run, share_out(len(images), self.batch_size, lanes.count))
        poses = []
        start = 0
        for _, boxes, box_scores in scenes:
            own = slice(start, start := start + len(boxes))
            poses.append(Poses(keypoints[own], scores[own], boxes, box_scores, self.card.keypoints))
        return poses

    def _crops(self, scene: Scene) -> Crops:
        height, width, _ = scene.image.shape
        return self.preset.crops(scene.boxes, (height, width), self.card.input.size, self.output.stride)

    def _run(self, images: Sequence[Image], crops: Crops) -> tuple[F32, F32]:
        """Run one batch; `images` are those that the people are in, one each."""
        people = len(images)
        tensor = self._buffers.get(people * (1 + self.flip), 3, *self.card.input.size)
        start = 0
        for _, same in groupby(images, id):
            members = slice(start, start := start + len(list(same)))
            keypoint_input(images[members.start], crops[members], self.card.input, out=tensor[members])
        if self.flip:
            tensor[people:] = tensor[:people, ..., ::-1]
        tensors: Tensors = self.runtime.run({INPUT_NAME: tensor})
        if self.flip:
            straight = {name: array[:people] for name, array in tensors.items()}
            mirrored = {name: array[people:] for name, array in tensors.items()}
            tensors = self.output.merge_mirrored(straight, mirrored, self.card)
        return keypoints_in_image(*self.output.read(tensors, self.preset), crops)

    def close(self) -> None:
        """Release the engine and the threads."""
        self.lanes.close()
        self.runtime.close()


def share_out(count: int, most: int, lanes: int) -> list[slice]:
    """Cut people into batches of nearly one size, as many as keep all lanes busy to the end.

    Args:
        count: People.
        most: In one batch.
        lanes: Threads that will work off the batches.

    Returns:
        The batches, in order, none empty.
    """
    rounds = -(-count // (most * lanes))
    batches = min(count, rounds * lanes)
    edges = [count * place // batches for place in range(batches + 1)] if batches else [0]
    return [slice(*edge) for edge in pairwise(edges)]


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
