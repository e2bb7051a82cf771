"""Find all people and their joints in one run of one network: image in, poses out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose_onnx.buffers import Buffers
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.images import Color
from pose_onnx.core.nms import soft_nms
from pose_onnx.core.people import People, to_image
from pose_onnx.detector import check_threshold, detector_input
from pose_onnx.errors import InputError, unknown_name
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.loading import INPUT_NAME, file_of, open_model
from pose_onnx.outputs import PeopleOutput
from pose_onnx.pairs import DEFAULT_QUALITY
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.poses import Poses
from pose_onnx.presets import DEFAULT_PRESET
from pose_onnx.provenance import model_digests
from pose_onnx.runtimes._checks import check_threads

THRESHOLD: Final = 0.3
"""Above this score CenterNet shows a person (src/lib/opts.py, vis_thresh)."""

NMS: Final[Mapping[str, Callable[[F32, F32], tuple[NDArray[np.int64], F32]]]] = MappingProxyType(
    {"soft": soft_nms}
)
"""How people who overlap better ones are treated, by name: from boxes and scores to who stays, and scores."""

_UNUSED: Final[Mapping[str, object]] = MappingProxyType(
    {
        "detector": None,
        "detector_card": None,
        "batch_size": None,
        "preset": DEFAULT_PRESET,
        "quality": DEFAULT_QUALITY,
    }
)
"""Arguments that mean nothing here, and how they are left out."""


class OnePassEstimator(PoseEstimator):
    """One network that finds people and their joints at once: a `PoseEstimator` without a detector.

    The poses' `boxes` and `box_scores` are the network's own. A joint's score is that of its peak where there
    is one, otherwise the person's; see `pose_onnx.core.people`. Arguments and errors are those of
    `PoseEstimator`.

    Attributes:
        threshold: People with a score above this are returned.
        flip: Whether the mirrored image is run too.
        nms: A name in `NMS`, or `None`.
        runtime: Runs the network.
    """

    def _open(self, given: Mapping[str, Any], engine: Mapping[str, Any]) -> None:
        model, self.flip, self.nms = given["pose"], given["flip"], given["nms"]
        if unused := [name for name, absent in _UNUSED.items() if given[name] != absent]:
            raise InputError(
                f"{unused} were given, but the model {model!r} finds people and their joints in one pass,"
                " without a detector; leave them out"
            )
        if self.nms is not None and self.nms not in NMS:
            raise unknown_name("nms", str(self.nms), NMS)
        self.threshold = check_threshold(THRESHOLD if given["threshold"] is None else given["threshold"])
        options = dict(engine)
        backend, precision, threads = (options.pop(name) for name in ("backend", "precision", "threads"))
        self.card, self.runtime = open_model(
            model,
            "people",
            card=given["pose_card"],
            backend=backend,
            precision=precision,
            threads=check_threads(threads),
            options=options,
        )
        self.file = file_of(model, backend, precision)
        self.output = cast("PeopleOutput", self.card.output)
        if self.runtime is not model:
            self._opened.append(self.runtime)
        self._buffers = Buffers()

    def __call__(
        self,
        image: ImageSource,
        boxes: ArrayLike | None = None,
        *,
        box_scores: ArrayLike | None = None,
        color: Color = "bgr",
    ) -> Poses:
        """Find the people in one image and their joints: see `PoseEstimator`."""
        if boxes is not None or box_scores is not None:
            raise InputError(
                f"boxes were given, but the model {self.card.name!r} finds the people itself, all at once;"
                " leave them out, or use a keypoint model"
            )
        people = self._find(load_image(image, color=color))
        if not all(np.isfinite(array).all() for array in people):
            raise InputError(
                f"model {self.card.name!r} returned NaN or infinity; check the model, and the precision of "
                "its export"
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
        _, resized = detector_input(image_bgr, self.card.picture, empty=lambda *_: tensor[:1])
        if self.flip:
            tensor[1] = tensor[0, ..., ::-1]
        heads, *mirrored = self.output.read(self.runtime.run({INPUT_NAME: tensor}))
        for other in mirrored:
            heads = self.output.merge_mirrored(heads, other, self.card)
        people = self.output.decode(heads, self.threshold)
        people = to_image(people, resized.scale * np.float32(self.output.stride), resized.offset)
        return people if self.nms is None else self._weeded(people, self.nms)

    def _weeded(self, people: People, nms: str) -> People:
        order, scores = NMS[nms](people.boxes, people.scores)
        kept = order[scores > self.threshold]
        boxes, _, joints, joint_scores = (field[kept] for field in people)
        return People(boxes, scores[scores > self.threshold], joints, joint_scores)

    def describe(self) -> dict[str, Any]:
        """See `PoseEstimator`."""
        return {
            "pose": self.card.name,
            "flip": self.flip,
            "threshold": self.threshold,
            "nms": self.nms,
            **model_digests("pose", self.file, self.card),
        }
