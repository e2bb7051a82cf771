"""People first, then the keypoints of each: a detector and a keypoint model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from inspect import signature
from typing import Any

from numpy.typing import ArrayLike

from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.core.spread import color_spread
from pose_onnx.detections import Detections
from pose_onnx.detector import PERSON, Detector
from pose_onnx.errors import InputError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.pairs import demand_models, find_pair
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.poses import Poses
from pose_onnx.provenance import model_digests


class TopDownEstimator(PoseEstimator):
    """A person detector followed by a keypoint model: a `PoseEstimator` that can be given people's boxes.

    It is a `ParallelModel` and a `BatchTopDownModel` (`pose_onnx.pose_model`). Arguments and errors are those
    of `PoseEstimator`.

    Attributes:
        detector: The `Detector`.
        pose: The `KeypointModel`.
    """

    detector: Detector
    pose: KeypointModel

    def _open(self, given: Mapping[str, Any], engine: Mapping[str, Any]) -> None:
        if given["nms"] is not None:
            raise InputError(
                f"nms={given['nms']!r} was given, but here a detector finds the people, and its own card says"
                " how boxes that overlap are suppressed; leave it out"
            )
        if isinstance(given["detector"], Detector) and isinstance(given["pose"], KeypointModel):
            _check_unused("detector and pose", _changed(given, (*engine, "preset", "quality")))
        pair = find_pair(given["quality"])
        models = {name: getattr(pair, name) for name in pair._fields if given[name] is None}
        demand_models(given["quality"], list(models.values()), given["backend"], given["precision"])
        models = {"detector": given["detector"], "pose": given["pose"], **models}
        of_detector = {"card": given["detector_card"], "threshold": given["threshold"]}
        of_pose = {"card": given["pose_card"], "flip": given["flip"], "batch_size": given["batch_size"]}
        engine = {**engine, "preset": given["preset"]}
        if isinstance(models["detector"], Detector):
            _check_unused("detector", of_detector)
            self.detector = models["detector"]
        else:
            self.detector = Detector(models["detector"], **of_detector, **engine)
            self.detector.select_people()
            self._opened.append(self.detector)
        if isinstance(models["pose"], KeypointModel):
            _check_unused("pose", of_pose)
            self.pose = models["pose"]
        else:
            self.pose = KeypointModel(models["pose"], **of_pose, **engine)
            self._opened.append(self.pose)
        self.card = self.pose.card

    def __call__(
        self,
        image: ImageSource,
        boxes: ArrayLike | None = None,
        *,
        box_scores: ArrayLike | None = None,
        color: Color = "bgr",
    ) -> Poses:
        """Find the people in one image and their keypoints: see `PoseEstimator`."""
        pixels = load_image(image, color=color)
        if boxes is not None:
            return self.pose(pixels, boxes, box_scores=box_scores)
        if box_scores is not None:
            raise InputError("box_scores were given without boxes; give both, or neither")
        found = self.find_boxes(pixels)
        return self.pose(pixels, found.boxes, box_scores=found.scores)

    def find_boxes(self, image: ImageSource, *, color: Color = "bgr") -> Detections:
        """Find where people are in one image: the first half of a call.

        Args:
            image: As in a call.
            color: As in a call.

        Returns:
            Boxes of people in image pixels, best first.

        Raises:
            InputError: As in a call.
        """
        pixels = load_image(image, color=color)
        return self._people(pixels, self.detector(pixels))

    def _people(self, pixels: Image, found: Detections) -> Detections:
        """Keep people only: what has that class (all, of a model without it) and is not of one colour."""
        if found.classes != (PERSON,) and PERSON in found.classes:
            found = found[found.labels == found.classes.index(PERSON)]
        return found[color_spread(pixels, found.boxes) >= self.detector.preset.least_spread]

    def find_in_boxes(
        self,
        image: ImageSource,
        boxes: ArrayLike,
        *,
        box_scores: ArrayLike | None = None,
        color: Color = "bgr",
    ) -> Poses:
        """Find the keypoints of the people in given boxes: the second half of a call.

        Args:
            image: As in a call.
            boxes: (N, 4) numbers, xyxy, image pixels.
            box_scores: (N,) numbers; 1 each when `None`.
            color: As in a call.

        Returns:
            N poses, in the order of `boxes`.

        Raises:
            InputError: As in a call.
        """
        return self.pose(image, boxes, box_scores=box_scores, color=color)

    def find_in_boxes_together(
        self,
        images: Sequence[ImageSource],
        boxes: Sequence[ArrayLike],
        *,
        box_scores: Sequence[ArrayLike | None] | None = None,
        color: Color = "bgr",
    ) -> list[Poses]:
        """Find the keypoints of the people in given boxes of several images, in shared batches.

        Args:
            images: Each as in a call.
            boxes: Of each image, as in `find_in_boxes`.
            box_scores: Of each image, as in `find_in_boxes`.
            color: As in a call.

        Returns:
            The poses of each image: what `find_in_boxes` finds.

        Raises:
            InputError: As in a call; or the numbers of images, boxes and scores differ.
        """
        return self.pose.find_many(images, boxes, box_scores=box_scores, color=color, alone=False)

    @property
    def workers(self) -> int:
        """How many threads can usefully share this estimator."""
        return self.pose.workers

    def find_many(self, images: Sequence[ImageSource], *, color: Color = "bgr") -> list[Poses]:
        """Find the people in several images on the calling thread only, batched across the images.

        It is for callers that use their own threads, as `map` does.

        Args:
            images: Each as in a call.
            color: As in a call.

        Returns:
            The poses of each image: what a call finds.

        Raises:
            InputError: As in a call.
        """
        pixels = [load_image(image, color=color) for image in images]
        found = list(map(self._people, pixels, self.detector.find_many(pixels)))
        boxes, scores = [each.boxes for each in found], [each.scores for each in found]
        return self.pose.find_many(pixels, boxes, box_scores=scores)

    def describe(self) -> dict[str, Any]:
        """See `PoseEstimator`."""
        return {
            "detector": self.detector.card.name,
            "pose": self.pose.card.name,
            "preset": self.detector.preset.name,
            **({} if self.pose.preset == self.detector.preset else {"pose_preset": self.pose.preset.name}),
            "flip": self.pose.flip,
            "threshold": self.detector.threshold,
            **model_digests("detector", self.detector.file, self.detector.card),
            **model_digests("pose", self.pose.file, self.pose.card),
        }


def _changed(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return those of the named arguments of a `PoseEstimator` that differ from their defaults."""
    known = signature(PoseEstimator.__init__).parameters
    return {name: given[name] for name in names if name not in known or given[name] != known[name].default}


def _check_unused(part: str, arguments: Mapping[str, Any]) -> None:
    """Refuse what would be for opening a part that is given."""
    if given := [name for name, value in arguments.items() if value not in (None, False)]:
        raise InputError(
            f"{given} were given with an open {part}; give them where it is opened, or give {part} by name or"
            " path"
        )
