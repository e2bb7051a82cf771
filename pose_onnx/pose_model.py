"""What the rest of the package requires of a pose model: protocols, fulfilled by having their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import ArrayLike

from pose_onnx.core.arrays import Pairs
from pose_onnx.core.images import Color
from pose_onnx.detections import Detections
from pose_onnx.image_files import ImageSource
from pose_onnx.poses import Poses


@runtime_checkable
class PoseModel(Protocol):
    """An image in, poses out. `PoseEstimator` is one, and any object with these members."""

    @property
    def names(self) -> tuple[str, ...]:
        """The K keypoints' names."""

    @property
    def skeleton(self) -> Pairs:
        """Index pairs of keypoints to join when drawing."""

    @property
    def flip_pairs(self) -> Pairs:
        """Index pairs of keypoints that swap when the image is mirrored."""

    @property
    def sigmas(self) -> tuple[float, ...]:
        """How far annotators disagree on each keypoint (`ModelCard.oks_sigmas`); empty if unknown."""

    def __call__(self, image: ImageSource, *, color: Color = "bgr") -> Poses:
        """Find the people in one image and their keypoints.

        Args:
            image: Path, (H, W, 3) uint8 array, or the bytes of a picture file.
            color: Channel order of an array.

        Returns:
            The poses, in image pixels, best first; of length 0 if there is nobody.

        Raises:
            InputError: The image cannot be used.
        """

    def describe(self) -> dict[str, Any]:
        """Return what results record about their origin, as JSON-ready data.

        Names, settings that move a number, and digests (their keys end with `_sha256`). `pose` is the name of
        the model that finds the keypoints, `detector` that of the one that finds the people, if there is one.
        """

    def close(self) -> None:
        """Release engines and threads. May be called twice."""


@runtime_checkable
class ParallelModel(PoseModel, Protocol):
    """A pose model that several threads can use at once, each for some of the images.

    `pose_onnx.mapping` checks for it with `isinstance`; any other model gets one image at a time.
    """

    @property
    def workers(self) -> int:
        """How many threads can usefully share this model."""

    def find_many(self, images: Sequence[ImageSource], *, color: Color = "bgr") -> list[Poses]:
        """Find the people in several images on the calling thread only, batched across the images.

        Args:
            images: Each as in a call.
            color: As in a call.

        Returns:
            The poses of each image: what a call finds.

        Raises:
            InputError: As in a call.
        """


@runtime_checkable
class TopDownModel(PoseModel, Protocol):
    """A pose model that finds people first and then the keypoints of each, so it can be given their boxes.

    Video checks for it with `isinstance`: between detections, people are tracked by their last keypoints.
    """

    def find_boxes(self, image: ImageSource, *, color: Color = "bgr") -> Detections:
        """Find where people are in one image.

        Args:
            image: As in a call.
            color: As in a call.

        Returns:
            Boxes of people in image pixels, best first.

        Raises:
            InputError: As in a call.
        """

    def find_in_boxes(
        self,
        image: ImageSource,
        boxes: ArrayLike,
        *,
        box_scores: ArrayLike | None = None,
        color: Color = "bgr",
    ) -> Poses:
        """Find the keypoints of the people in given boxes.

        Args:
            image: As in a call.
            boxes: (N, 4) numbers, xyxy, image pixels.
            box_scores: (N,) numbers; 1 each when `None`.
            color: As in a call.

        Returns:
            N poses, in the order of `boxes`.

        Raises:
            InputError: As in a call; or the boxes cannot be used.
        """


@runtime_checkable
class BatchTopDownModel(TopDownModel, Protocol):
    """A pose model that processes several images in shared batches, which makes several cameras cheaper."""

    def find_in_boxes_together(
        self,
        images: Sequence[ImageSource],
        boxes: Sequence[ArrayLike],
        *,
        box_scores: Sequence[ArrayLike | None] | None = None,
        color: Color = "bgr",
    ) -> list[Poses]:
        """Find the keypoints of the people in given boxes of several images.

        Args:
            images: Each as in a call.
            boxes: Of each image: (N, 4) numbers, xyxy, image pixels.
            box_scores: Of each image: (N,) numbers; 1 each when `None`.
            color: As in a call.

        Returns:
            The poses of each image: what `find_in_boxes` finds.

        Raises:
            InputError: As in `find_in_boxes`; or the numbers of images, boxes and scores differ.
        """
