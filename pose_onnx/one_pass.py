"""Find all people and their joints in one run of one network: image in, poses out."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np

from pose_onnx.buffers import Buffers
from pose_onnx.cards.card import ModelCard
from pose_onnx.closing import Reopening
from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.core.nms import soft_nms
from pose_onnx.core.people import People, to_image
from pose_onnx.detector import check_threshold, detector_input
from pose_onnx.errors import InputError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.joints import JointsOfCard
from pose_onnx.loading import INPUT_NAME, CardLike, ModelLike, check_options, file_of, open_model
from pose_onnx.many_images import ManyImages
from pose_onnx.outputs import PeopleOutput
from pose_onnx.poses import Poses
from pose_onnx.provenance import model_digests
from pose_onnx.runtimes import Runtime
from pose_onnx.runtimes._checks import check_threads

THRESHOLD: Final = 0.3
"""Above this score CenterNet shows a person (src/lib/opts.py, vis_thresh)."""


class OnePassModel(JointsOfCard, ManyImages, Reopening):
    """A model that finds people and their joints at once; it is a `PoseModel`, and needs no detector.

    The poses' `boxes` and `box_scores` are the network's own. A joint's score is that of its peak where there
    is one, otherwise the person's; see `pose_onnx.core.people`.

    Args:
        model: Official name, path of an exported file, or a `Runtime` (then with `card`), which stays the
            caller's to close.
        card: For a file without a card: a card, its name, or the path of a card file.
        backend: Which engine runs it.
        precision: Which of the named model's files to use, such as "fp16".
        threads: Threads used in one call; every core when `None`.
        threshold: People with a score above this are returned.
        flip: Also run the mirrored image and average: better keypoints for twice the time.
        nms: Lower the scores of people who overlap better ones (`pose_onnx.core.nms.soft_nms`).
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
        threshold: float = THRESHOLD,
        flip: bool = False,
        nms: bool = False,
        **options: Any,
    ) -> None:
        check_options(OnePassModel, backend, options)
        self._arguments = {
            "model": model,
            "card": card,
            "backend": backend,
            "precision": precision,
            "threads": threads,
            "threshold": check_threshold(threshold),
            "flip": flip,
            "nms": nms,
            **options,
        }
        self.threshold, self.flip, self.nms = threshold, flip, nms
        self.card: ModelCard
        self.runtime: Runtime
        self.card, self.runtime = open_model(
            model,
            "people",
            card=card,
            backend=backend,
            precision=precision,
            threads=check_threads(threads),
            options=options,
        )
        self.file = file_of(model, backend, precision)
        self.output = cast("PeopleOutput", self.card.output)
        self._owned = model is not self.runtime
        self._buffers = Buffers()

    def __call__(self, image: ImageSource, *, color: Color = "bgr") -> Poses:
        """Find the people in one image and their joints.

        Args:
            image: Path, (H, W, 3) uint8 array, or the bytes of a picture file.
            color: Channel order of an array.

        Returns:
            The poses, in image pixels, best person first; of length 0 if there is nobody.

        Raises:
            InputError: The image cannot be used, or the network answers with NaN or infinity.
        """
        people = self._find(load_image(image, color=color))
        if not all(np.isfinite(array).all() for array in people):
            raise InputError(
                f"model {self.card.name!r} answers with NaN or infinity; check the model and the precision"
                " that it was exported with"
            )
        return Poses(
            people.joints,
            people.joint_scores,
            people.boxes,
            people.scores,
            self.names,
            skeleton=self.skeleton,
            flip_pairs=self.flip_pairs,
            sigmas=self.sigmas,
        )

    def _find(self, image_bgr: Image) -> People:
        tensor = self._buffers.get(1 + self.flip, 3, *self.card.picture.size)
        resized = detector_input(image_bgr, self.card.picture, out=tensor[:1])
        if self.flip:
            tensor[1] = tensor[0, ..., ::-1]
        heads, *mirrored = self.output.read(self.runtime.run({INPUT_NAME: tensor}))
        for other in mirrored:
            heads = self.output.merge_mirrored(heads, other, self.card)
        people = self.output.decode(heads, self.threshold)
        people = to_image(people, resized.scale * np.float32(self.output.stride), resized.offset)
        return self._weeded(people) if self.nms else people

    def _weeded(self, people: People) -> People:
        order, scores = soft_nms(people.boxes, people.scores)
        kept = order[scores > self.threshold]
        boxes, _, joints, joint_scores = (field[kept] for field in people)
        return People(boxes, scores[scores > self.threshold], joints, joint_scores)

    def describe(self) -> dict[str, Any]:
        """Return what results record about their origin: name, settings, digests of model and card."""
        return {
            "pose": self.card.name,
            "flip": self.flip,
            "threshold": self.threshold,
            "nms": self.nms,
            **model_digests("pose", self.file, self.card),
        }

    def close(self) -> None:
        """Release the engine."""
        if self._owned:
            self.runtime.close()
