"""Find keypoints: image and boxes in, poses out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from pose_onnx.buffers import Buffers
from pose_onnx.cards.card import ModelCard
from pose_onnx.closing import Reopening
from pose_onnx.concurrency.lanes import Lanes
from pose_onnx.core.arrays import BOX, F32, POINT, Image
from pose_onnx.core.crops import Crops
from pose_onnx.core.images import Color
from pose_onnx.core.keypoints import keypoint_input, keypoints_in_image
from pose_onnx.errors import InputError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.joints import JointsOfCard
from pose_onnx.loading import INPUT_NAME, CardLike, ModelLike, check_options, file_of, open_model
from pose_onnx.outputs import KeypointOutput, Tensors
from pose_onnx.poses import Poses
from pose_onnx.presets import DEFAULT_PRESET, Preset, find_preset
from pose_onnx.runtimes import (
    Runtime,
    fills_device,
    is_parallel,
    run_pixels,
)
from pose_onnx.runtimes._checks import check_count, check_threads

_ALONE: Final = Lanes(1)


class _Scene(NamedTuple):
    """An image, and where people are in it.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4) float32, xyxy, image pixels.
        box_scores: (N,) float32.
    """

    image: Image
    boxes: F32
    box_scores: F32


class KeypointModel(JointsOfCard, Reopening):
    """A top-down keypoint model.

    Args:
        model: Official name, path of an exported file, or a `Runtime` (then with `card`), which stays the
            caller's to close.
        card: For a file without a card: a card, its name, or the path of a card file.
        backend: Which engine runs it.
        precision: Which of the named model's files to use, such as "fp16".
        threads: Threads used in one call; every core when `None`. Each takes some of the people.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        flip: Also run each crop mirrored and average: better keypoints for twice the time.
        batch_size: The most people in one run of the network (half as many with `flip`); when `None`,
            chosen by the engine and the size of the network's input.
        options: Passed to the backend, for example `providers=[...]`.

    Attributes:
        names: The K keypoints' names.
        skeleton: Index pairs of keypoints to join when drawing.
        flip_pairs: Index pairs of keypoints that swap when the image is mirrored.
        sigmas: How far annotators disagree on each keypoint (`ModelCard.oks_sigmas`); empty if unknown.
        workers: How many threads can usefully share this model.

    Raises:
        PoseOnnxError: One of its subclasses, with a message that says what to do; see `pose_onnx.errors`.
    """

    def __init__(
        self,
        model: ModelLike,
        *,
        card: CardLike | None = None,
        backend: str = "ort",
        precision: str = "fp32",
        threads: int | None = None,
        preset: Preset | str = DEFAULT_PRESET,
        flip: bool = False,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        check_options(KeypointModel, backend, options)
        batch_size = None if batch_size is None else check_count(batch_size, "batch_size")
        self._arguments = {
            "model": model,
            "card": card,
            "backend": backend,
            "precision": precision,
            "threads": threads,
            "preset": preset,
            "flip": flip,
            "batch_size": batch_size,
            **options,
        }
        threads = check_threads(threads)
        self.preset = find_preset(preset)
        self.flip = flip
        self.card: ModelCard
        self.runtime: Runtime
        self.card, self.runtime = open_model(
            model,
            "keypoints",
            card=card,
            backend=backend,
            precision=precision,
            threads=threads,
            options=options,
            overlap=True,
        )
        self.file = file_of(model, backend, precision)
        self.output = cast("KeypointOutput", self.card.output)
        self._owned = model is not self.runtime
        self.workers = threads if is_parallel(self.runtime) else 1
        self._lanes = Lanes(1 if fills_device(self.runtime) else self.workers)
        batch_size = batch_size or run_pixels(self.runtime) // int(np.prod(self.card.picture.size))
        if self.runtime.inputs[0].shape[0] == 1:
            if flip:
                self.close()
                raise InputError(
                    f"flip=True was given, but {self.card.name!r} takes one crop at a time, and a mirrored"
                    " pair is two; leave it out, or export the model with a free batch"
                )
            batch_size = 1
        self.batch_size = max(1, batch_size // 2 if flip else batch_size)
        self._buffers = Buffers()

    def __call__(
        self,
        image: ImageSource,
        boxes: ArrayLike,
        *,
        box_scores: ArrayLike | None = None,
        color: Color = "bgr",
    ) -> Poses:
        """Find the keypoints of the people in the given boxes.

        Args:
            image: Path, (H, W, 3) uint8 array, or the bytes of a picture file.
            boxes: (N, 4) numbers, xyxy, image pixels. May reach outside the image. A box without area gives
                keypoints at its centre with score 0.
            box_scores: (N,) numbers; 1 each when `None`.
            color: Channel order of an array.

        Returns:
            N poses, in the order of `boxes`.

        Raises:
            InputError: The image or the boxes cannot be used, or the network answers with NaN or infinity.
        """
        return self._find([_scene(image, boxes, box_scores, color)], self._lanes)[0]

    def find_many(
        self,
        images: Sequence[ImageSource],
        boxes: Sequence[ArrayLike],
        *,
        box_scores: Sequence[ArrayLike | None] | None = None,
        color: Color = "bgr",
        alone: bool = True,
    ) -> list[Poses]:
        """Find the people of several images, batched across the images.

        Args:
            images: As in a call.
            boxes: Of each image, as in a call.
            box_scores: Of each image, as in a call.
            color: As in a call.
            alone: Work on the calling thread only, for callers that use their own threads; otherwise on all
                threads of this model.

        Returns:
            The poses of each image: what a call finds.

        Raises:
            InputError: As in a call; or the numbers of images, boxes and scores differ.
        """
        scores = [None] * len(images) if box_scores is None else box_scores
        if not len(images) == len(boxes) == len(scores):
            raise InputError(
                f"{len(images)} images, {len(boxes)} arrays of boxes and {len(scores)} of box_scores were "
                "given; give one of each per image"
            )
        given = zip(images, boxes, scores, strict=True)
        return self._find([_scene(*each, color) for each in given], _ALONE if alone else self._lanes)

    def _find(self, scenes: Sequence[_Scene], lanes: Lanes) -> list[Poses]:
        """Find the people of several images, in batches that the lanes share out among them."""
        if not scenes:
            return []
        crops = Crops.join([self._crops(scene) for scene in scenes])
        images = [scene.image for scene in scenes for _ in range(len(scene.boxes))]
        keypoints = np.empty((len(images), len(self.names), POINT), np.float32)
        scores = np.empty(keypoints.shape[:2], np.float32)

        def run(batch: slice) -> None:
            keypoints[batch], scores[batch] = self._run(images[batch], crops[batch])

        lanes.run(run, share_out(len(images), self.batch_size, lanes.count))
        poses = []
        start = 0
        for scene in scenes:
            end = start + len(scene.boxes)
            poses.append(self._poses(scene, keypoints[start:end], scores[start:end]))
            start = end
        return poses

    def _poses(self, scene: _Scene, keypoints: F32, scores: F32) -> Poses:
        return Poses(
            keypoints,
            scores,
            scene.boxes,
            scene.box_scores,
            self.names,
            skeleton=self.skeleton,
            flip_pairs=self.flip_pairs,
            sigmas=self.sigmas,
        )

    def _crops(self, scene: _Scene) -> Crops:
        height, width, _ = scene.image.shape
        return self.preset.crops(scene.boxes, (height, width), self.card.picture.size, self.output.stride)

    def _run(self, images: Sequence[Image], crops: Crops) -> tuple[F32, F32]:
        """Run one batch; `images` are those that the people are in, one each."""
        people = len(images)
        tensor = self._buffers.get(people * (1 + self.flip), 3, *self.card.picture.size)
        start = 0
        for _, same in groupby(images, id):
            end = start + len(list(same))
            keypoint_input(images[start], crops[start:end], self.card.picture, out=tensor[start:end])
            start = end
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
        self._lanes.close()
        if self._owned:
            self.runtime.close()


def _scene(image: ImageSource, boxes: ArrayLike, box_scores: ArrayLike | None, color: Color) -> _Scene:
    pixels = load_image(image, color=color)
    people = check_boxes(boxes)
    return _Scene(pixels, people, check_box_scores(box_scores, len(people)))


def share_out(count: int, most: int, lanes: int) -> list[slice]:
    """Split people into batches of nearly equal size, so that all lanes stay busy to the end.

    Args:
        count: People.
        most: In one batch.
        lanes: Threads that will process the batches.

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
        InputError: Not one finite number for each box.
    """
    try:
        array = np.ones(count, np.float32) if scores is None else np.array(scores, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"box_scores are not numbers; give one for each of {count} boxes") from error
    if array.shape != (count,):
        raise InputError(f"box_scores have shape {array.shape}; give one number for each of {count} boxes")
    if not np.isfinite(array).all():
        index = int(np.flatnonzero(~np.isfinite(array))[0])
        raise InputError(f"box score {index} is {array[index]}; give finite numbers")
    return array
