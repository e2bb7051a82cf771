"""Find people: image in, boxes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from threading import Lock
from typing import Any, Final, cast

import numpy as np

from pose_onnx.buffers import Buffers
from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.input import InputSpec
from pose_onnx.closing import Reopening
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.images import Color
from pose_onnx.detections import Detections
from pose_onnx.errors import InputError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.loading import INPUT_NAME, CardLike, ModelLike, check_options, file_of, open_model
from pose_onnx.outputs import DetectionOutput
from pose_onnx.presets import DEFAULT_PRESET, Preset, find_preset
from pose_onnx.resizing import RESIZERS, Resized
from pose_onnx.runtimes import Runtime, fills_device, is_parallel
from pose_onnx.runtimes._checks import check_threads

PERSON: Final = "person"


def _new(*shape: int) -> F32:
    return np.empty(shape, np.float32)


def detector_input(
    image_bgr: Image, spec: InputSpec, *, empty: Callable[..., F32] = _new
) -> tuple[F32, Resized]:
    """Bring a whole picture to the network's input.

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        spec: The network's input.
        empty: Returns an array of a shape, such as `Buffers.get`: C-contiguous, with any content.

    Returns:
        The input (1, 3, h, w), float32, and the resized picture, with the way back to image pixels.
    """
    resized = RESIZERS[spec.resize](image_bgr, spec.size)
    out = empty(1, 3, *resized.input_size)
    height, width = resized.pixels.shape[:2]
    out[0, :, height:] = 0
    out[0, :, :, width:] = 0
    spec.normalize(resized.pixels, out=out[0, :, :height, :width])
    return out, resized


def check_threshold(threshold: float, name: str = "threshold") -> float:
    """Return the threshold of scores.

    Raises:
        InputError: It is not a number from 0 to 1.
    """
    if not (isinstance(threshold, Real) and 0 <= threshold <= 1):
        raise InputError(f"{name}={threshold!r} was given; give a number from 0 to 1")
    return threshold


class Detector(Reopening):
    """A person detector.

    Args:
        model: Official name, path of an exported file, or a `Runtime` (then with `card`), which stays the
            caller's to close.
        card: For a file without a card: a card, its name, or the path of a card file.
        backend: Which engine runs it.
        precision: Which of the named model's files to use, such as "fp16".
        threads: Threads used in one call; every core when `None`.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        threshold: Boxes with a score above this are kept; the preset's when `None`.
        classes: Names of the classes to keep; every class of the card when `None`.
        options: Passed to the backend, for example `providers=[...]`.

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
        threshold: float | None = None,
        classes: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        check_options(Detector, backend, options)
        self.preset = find_preset(preset)
        self.threshold = check_threshold(self.preset.threshold if threshold is None else threshold)
        self._arguments = {
            "model": model,
            "card": card,
            "backend": backend,
            "precision": precision,
            "threads": threads,
            "preset": preset,
            "threshold": threshold,
            **options,
        }
        inside = check_threads(threads)
        self.card: ModelCard
        self.runtime: Runtime
        self._open = partial(
            open_model, model, "detect", backend=backend, precision=precision, options=options
        )
        self.card, self.runtime = self._open(card=card, threads=inside)
        self.file = file_of(model, backend, precision)
        self.output = cast("DetectionOutput", self.card.output)
        self._owned = model is not self.runtime
        # If runs may overlap, threads inside a run would compete with threads that run the detector in
        # parallel.
        overlaps = is_parallel(self.runtime) and not fills_device(self.runtime)
        self._single = None if self._owned and inside > 1 and overlaps else self.runtime
        self._opening = Lock()
        self._buffers = Buffers()
        self.select(self.card.classes if classes is None else classes)

    def select(self, classes: Sequence[str]) -> None:
        """From now on, keep only the boxes of these classes.

        Raises:
            InputError: The model knows no such class.
        """
        if unknown := sorted(set(classes) - set(self.card.classes)):
            raise InputError(
                f"model {self.card.name!r} has no class {unknown}; choose from {list(self.card.classes)}"
            )
        self._arguments["classes"] = tuple(classes)
        self._labels = np.array(sorted(set(map(self.card.classes.index, classes))), np.int64)

    def select_people(self) -> None:
        """Keep only people; a model without a class of that name keeps all its classes."""
        if PERSON in self.card.classes:
            self.select((PERSON,))

    def __call__(self, image: ImageSource, *, color: Color = "bgr") -> Detections:
        """Find the people in one image.

        Args:
            image: Path, (H, W, 3) uint8 array, or the bytes of a picture file.
            color: Channel order of an array.

        Returns:
            Boxes in image pixels, best first; of length 0 if there is nobody.

        Raises:
            InputError: The image cannot be used, or the network answers with NaN or infinity.
        """
        return self._find(load_image(image, color=color), self.runtime)

    def find_many(self, images: Sequence[ImageSource], *, color: Color = "bgr") -> list[Detections]:
        """Find the people in several images on the calling thread alone.

        It is for callers that use their own threads.

        Args:
            images: As in a call.
            color: As in a call.

        Returns:
            What a call finds in each.

        Raises:
            InputError: As in a call.
        """
        runtime = self._open_single()
        return [self._find(load_image(image, color=color), runtime) for image in images]

    def _find(self, image_bgr: Image, runtime: Runtime) -> Detections:
        tensor, resized = detector_input(image_bgr, self.card.picture, empty=self._buffers.get)
        outputs = runtime.run({INPUT_NAME: tensor})
        boxes, scores = self.output.decode(outputs, resized.input_size)
        wanted = scores[0] if len(self._labels) == len(self.card.classes) else scores[0][:, self._labels]
        # NaN is never above the threshold, so it would look like a picture without people.
        if not (np.isfinite(wanted).all() and np.isfinite(boxes).all()):
            raise InputError(
                f"detector {self.card.name!r} returned NaN or infinity; check the model, and the precision "
                "of its export"
            )
        height, width = image_bgr.shape[:2]
        boxes_image = boxes[0] * resized.scale + resized.offset
        found = self.output.select(boxes_image, wanted, self.threshold, (height, width))
        return self._labelled(found, (height, width))

    def _labelled(self, found: Detections, image_size: tuple[int, int]) -> Detections:
        """Add the card's labels to boxes, and clip them to the picture if the preset requires it."""
        boxes = found.boxes
        if self.preset.clip_boxes:
            limits = np.array(2 * image_size[::-1], np.float32)
            boxes = np.minimum(np.maximum(boxes, np.float32(0)), limits)
        return Detections(boxes, found.scores, self._labels[found.labels], self.card.classes)

    def _open_single(self) -> Runtime:
        """Return an engine with one thread inside a run, opened when it is first needed."""
        with self._opening:
            if self._single is None:
                _, self._single = self._open(card=self.card, threads=1)
            return self._single

    def close(self) -> None:
        """Release the engines."""
        if not self._owned:
            return
        with self._opening:
            # From now on, `runtime` raises the error that the detector is closed.
            single, self._single = self._single, self.runtime
        if single is not None:
            single.close()
        self.runtime.close()
