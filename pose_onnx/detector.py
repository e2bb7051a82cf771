"""Find people: image in, boxes out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import Any, Final, Literal, cast

import numpy as np

from pose_onnx.buffers import Buffers
from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.input import InputSpec
from pose_onnx.closing import Closing
from pose_onnx.core.arrays import F32, Image
from pose_onnx.detections import Detections
from pose_onnx.errors import InputError
from pose_onnx.image_files import load_image
from pose_onnx.loading import INPUT_NAME, CardLike, ModelLike, open_model
from pose_onnx.outputs import DetectionOutput
from pose_onnx.presets import Preset, find_preset
from pose_onnx.resizing import RESIZERS, Resized
from pose_onnx.runtimes import Runtime, is_parallel

PERSON: Final = "person"


def detector_input(image_bgr: Image, spec: InputSpec, *, out: F32) -> Resized:
    """Bring a whole picture to the network's input.

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        spec: The network's input.
        out: (1, 3, h, w) float32, C-contiguous, written.

    Returns:
        The resized picture, with the way back to image pixels.
    """
    resized = RESIZERS[spec.resize](image_bgr, spec.size)
    spec.normalize(resized.pixels, out=out[0])
    return resized


class Detector(Closing):
    """A person detector.

    Args:
        model: Official name, or path of an exported file.
        card: For a file without a card: a card, its name, or the path of a card file.
        backend: Which engine runs it.
        threads: Threads at work in one call; every core when `None`.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        threshold: Boxes with a score above this are kept; the preset's when `None`.
        classes: Names of the classes to keep; every class of the card when `None`.
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
        threshold: float | None = None,
        classes: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        self.preset = find_preset(preset)
        self.threshold = _checked_threshold(self.preset.box_threshold if threshold is None else threshold)
        self.card: ModelCard
        self.runtime: Runtime
        self.card, self.runtime = open_model(model, "detect", card, backend, threads, options)
        self.output = cast("DetectionOutput", self.card.output)
        self._open_single = partial(open_model, model, "detect", self.card, backend, 1, options)
        self._has_single = threads != 1 and is_parallel(backend)
        self._single: Runtime | None = None
        self._opening = Lock()
        self._buffers = Buffers()
        self.select(self.card.classes if classes is None else classes)

    def select(self, classes: Sequence[str]) -> None:
        """Keep the boxes of these classes only, from now on.

        Raises:
            InputError: The model knows no such class.
        """
        if unknown := sorted(set(classes) - set(self.card.classes)):
            raise InputError(
                f"model {self.card.name!r} knows no class {unknown}; choose among {list(self.card.classes)}"
            )
        self._labels = np.array(sorted(set(map(self.card.classes.index, classes))), np.int64)

    def select_people(self) -> None:
        """Keep people only; a model that has no class of that name finds what it was trained to."""
        if PERSON in self.card.classes:
            self.select((PERSON,))

    def __call__(
        self, image: Image | str | os.PathLike[str], *, color: Literal["bgr", "rgb"] = "bgr"
    ) -> Detections:
        """Find the people in one image.

        Args:
            image: Path, or (H, W, 3) uint8 array.
            color: Channel order of an array.

        Returns:
            Boxes in image pixels, best first; of length 0 if there is nobody.
        """
        return self.find(load_image(image, color=color), self.runtime)

    def find(self, image_bgr: Image, runtime: Runtime) -> Detections:
        """Find the people in one image with a given engine of this detector's model."""
        tensor = self._buffers.get(1, 3, *self.card.input.size)
        resized = detector_input(image_bgr, self.card.input, out=tensor)
        outputs = runtime.run({INPUT_NAME: tensor})
        boxes, scores = self.output.decode(outputs, self.card.input.size)
        wanted = scores[0] if len(self._labels) == len(self.card.classes) else scores[0][:, self._labels]
        found = self.output.select(boxes[0], wanted, self.threshold)
        return self._in_image(found, resized, image_bgr.shape[:2])

    def _in_image(self, found: Detections, resized: Resized, image_size: tuple[int, ...]) -> Detections:
        """Take boxes from input pixels to image pixels, and labels to those of the card."""
        boxes = found.boxes * resized.scale + resized.offset
        if self.preset.clip_boxes:
            limits = np.array(2 * image_size[::-1], np.float32)
            boxes = np.minimum(np.maximum(boxes, np.float32(0)), limits)
        return Detections(boxes, found.scores, self._labels[found.labels])

    def single(self) -> Runtime:
        """Return an engine with one thread inside a run, for several threads that detect at once.

        It is opened when it is first asked for. Where a backend's runs wait for each other, it is `runtime`.
        """
        with self._opening:
            if self._has_single and self._single is None:
                _, self._single = self._open_single()
            return self._single or self.runtime

    def close(self) -> None:
        """Release the engines."""
        with self._opening:
            self._has_single = False  # whoever asks from now on is told by `runtime` that it is closed
            if self._single:
                self._single.close()
        self.runtime.close()


def _checked_threshold(threshold: float) -> float:
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold={threshold!r} was given; give a number from 0 to 1")
    return threshold
