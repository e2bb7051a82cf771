"""The whole pipeline: image in, poses out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from pose_onnx.closing import Reopening
from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.core.spread import color_spread
from pose_onnx.detections import Detections
from pose_onnx.detector import PERSON, Detector
from pose_onnx.errors import InputError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.loading import CardLike, ModelLike, check_options
from pose_onnx.many_images import ManyImages
from pose_onnx.pairs import DEFAULT_QUALITY, demand_models, find_pair
from pose_onnx.poses import Poses
from pose_onnx.presets import DEFAULT_PRESET, Preset
from pose_onnx.provenance import model_digests


class PoseEstimator(ManyImages, Reopening):
    """A person detector followed by a keypoint model.

    It is a `PoseModel`, a `ParallelModel` and a `BatchTopDownModel` (`pose_onnx.pose_model`).

    Args:
        detector: Official name or path of a detector, that of `quality` when `None`; or a `Detector` (or a
            `Runtime`, with `detector_card`), which stays the caller's to close. If it has other classes
            too, only people are kept.
        pose: The same for the keypoint model.
        quality: Which pair of models stands in for those not given: `"builtin"`, or the official pairs
            `"fast"` and `"best"` (`pose_onnx.pairs`), which `pose-onnx models pull` fetches.
        backend: Which engine runs what is given by name or path.
        precision: Which of the named model's files to use, such as "fp16".
        threads: The largest number of threads busy at once; every core when `None`.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        threshold: Boxes with a score above this are people; the preset's when `None`.
        detector_card: For a detector's file without a card.
        pose_card: For a keypoint model's file without a card.
        flip: Also run each person mirrored and average: better keypoints for twice the time.
        batch_size: The most people in one run of the keypoint model; when `None`, chosen by the engine and
            the size of the input.
        options: Passed to the backend, for example `providers=[...]`.

    Attributes:
        detector: The `Detector`.
        pose: The `KeypointModel`.

    Raises:
        PoseOnnxError: One of its subclasses, with a message that says what to do; see `pose_onnx.errors`.

    Example:
        >>> estimator = PoseEstimator()  # doctest: +SKIP
        >>> poses = estimator("photo.jpg")  # doctest: +SKIP
        >>> poses.keypoints.shape  # doctest: +SKIP
        (2, 17, 2)
    """

    def __init__(
        self,
        detector: ModelLike | Detector | None = None,
        pose: ModelLike | KeypointModel | None = None,
        *,
        quality: str = DEFAULT_QUALITY,
        backend: str = "ort",
        precision: str = "fp32",
        threads: int | None = None,
        preset: Preset | str = DEFAULT_PRESET,
        threshold: float | None = None,
        detector_card: CardLike | None = None,
        pose_card: CardLike | None = None,
        flip: bool = False,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        check_options(PoseEstimator, backend, options)
        pair = find_pair(quality)
        missing = [name for name, given in zip(pair, (detector, pose), strict=True) if given is None]
        demand_models(quality, missing, backend, precision)
        detector = pair.detector if detector is None else detector
        pose = pair.pose if pose is None else pose
        engine: dict[str, Any] = {
            "backend": backend,
            "precision": precision,
            "threads": threads,
            "preset": preset,
            **options,
        }
        of_detector: dict[str, Any] = {"card": detector_card, "threshold": threshold}
        of_pose: dict[str, Any] = {"card": pose_card, "flip": flip, "batch_size": batch_size}
        self._arguments = {
            "detector": detector,
            "pose": pose,
            "threshold": threshold,
            "detector_card": detector_card,
            "pose_card": pose_card,
            "flip": flip,
            "batch_size": batch_size,
            **engine,
        }
        self._opened: list[Reopening] = []
        if isinstance(detector, Detector):
            _check_unused("detector", of_detector)
            self.detector = detector
        else:
            self.detector = Detector(detector, **of_detector, **engine)
            self.detector.select_people()
            self._opened.append(self.detector)
        if isinstance(pose, KeypointModel):
            _check_unused("pose", of_pose)
            self.pose = pose
        else:
            self.pose = KeypointModel(pose, **of_pose, **engine)
            self._opened.append(self.pose)

    @property
    def names(self) -> tuple[str, ...]:
        """The K keypoints' names."""
        return self.pose.names

    @property
    def skeleton(self) -> tuple[tuple[int, int], ...]:
        """Index pairs of keypoints to join when drawing."""
        return self.pose.skeleton

    @property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """Index pairs of keypoints that swap when the image is mirrored."""
        return self.pose.flip_pairs

    @property
    def sigmas(self) -> tuple[float, ...]:
        """How far annotators disagree on each keypoint (`ModelCard.oks_sigmas`); empty if unknown."""
        return self.pose.sigmas

    def __call__(
        self,
        image: ImageSource,
        boxes: ArrayLike | None = None,
        *,
        box_scores: ArrayLike | None = None,
        color: Color = "bgr",
    ) -> Poses:
        """Find the people in one image and their keypoints.

        Args:
            image: Path, (H, W, 3) uint8 array, or the bytes of a picture file.
            boxes: (N, 4) numbers, xyxy, image pixels: where people are, instead of asking the detector.
            box_scores: (N,) numbers, of `boxes`; 1 each when `None`.
            color: Channel order of an array.

        Returns:
            The poses, in image pixels, best box first (or in the order of `boxes`); of length 0 if there is
            nobody.

        Raises:
            InputError: The image or the boxes cannot be used, or a network answers with NaN or infinity.
        """
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
        """Return what results record about their origin: names, settings, digests of models and cards."""
        return {
            "detector": self.detector.card.name,
            "pose": self.pose.card.name,
            "preset": self.detector.preset.name,
            "flip": self.pose.flip,
            "threshold": self.detector.threshold,
            **model_digests("detector", self.detector.file, self.detector.card),
            **model_digests("pose", self.pose.file, self.pose.card),
        }

    def close(self) -> None:
        """Release engines and threads, except those of parts that the caller passed in."""
        for part in self._opened:
            part.close()


def _check_unused(part: str, arguments: Mapping[str, Any]) -> None:
    """Refuse what would be for opening a part that is given."""
    if given := [name for name, value in arguments.items() if value not in (None, False)]:
        raise InputError(
            f"{given} were given with a {part} that is open already; give them where it is opened, or give"
            f" {part} by name or path"
        )
