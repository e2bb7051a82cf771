"""The whole pipeline: image in, poses out."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Final, Literal, overload

from numpy.typing import ArrayLike

from pose_onnx.closing import Closing
from pose_onnx.concurrency.lanes import Lanes
from pose_onnx.concurrency.stream import Stream
from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.detector import Detector
from pose_onnx.errors import InputError, PoseOnnxError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.keypoint_model import KeypointModel, Scene
from pose_onnx.loading import CardLike, ModelLike
from pose_onnx.poses import Poses
from pose_onnx.presets import Preset

DEFAULT_DETECTOR: Final = "picodet_s_192_lcnet_pedestrian_distilled"
DEFAULT_POSE: Final = "tinypose_128x96_distilled"

GROUP_SIZE: Final = 4
"""Images of `PoseEstimator.map` whose people are batched together, at most."""

_ON_ERROR: Final = ("raise", "return")


class PoseEstimator(Closing):
    """A person detector and a keypoint model, one after the other.

    Args:
        detector: Official name or path of a detector; the built-in one by default. Of one that knows more
            than people, only people are taken.
        pose: The same for the keypoint model.
        backend: Which engine runs both.
        threads: Threads that are busy at once, at most, whatever runs; every core when `None`.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        box_threshold: Boxes with a score above this are people; the preset's when `None`.
        detector_card: For a detector's file without a card.
        pose_card: For a keypoint model's file without a card.
        flip: Run each person mirrored too and average: better points for twice the time.
        batch_size: People in one run of the keypoint model, at most; by the size of its input when `None`.
        options: Handed to the backend, for example `providers=[...]`.

    Raises:
        PoseOnnxError: One of its kinds, with what to do; see `pose_onnx.errors`.

    Example:
        >>> estimator = PoseEstimator()  # doctest: +SKIP
        >>> poses = estimator("photo.jpg")  # doctest: +SKIP
        >>> poses.keypoints.shape  # doctest: +SKIP
        (2, 17, 2)
    """

    def __init__(
        self,
        detector: ModelLike = DEFAULT_DETECTOR,
        pose: ModelLike = DEFAULT_POSE,
        *,
        backend: str = "ort",
        threads: int | None = None,
        preset: Preset | str = "accurate",
        box_threshold: float | None = None,
        detector_card: CardLike | None = None,
        pose_card: CardLike | None = None,
        flip: bool = False,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        shared: dict[str, Any] = {"backend": backend, "threads": threads, "preset": preset, **options}
        self.detector = Detector(detector, card=detector_card, threshold=box_threshold, **shared)
        self.detector.select_people()
        self.keypoint_model = KeypointModel(pose, card=pose_card, flip=flip, batch_size=batch_size, **shared)

    def __call__(
        self,
        image: Image | str | os.PathLike[str],
        boxes: ArrayLike | None = None,
        *,
        color: Literal["bgr", "rgb"] = "bgr",
    ) -> Poses:
        """Find the people in one image and their keypoints.

        Args:
            image: Path, or (H, W, 3) uint8 array.
            boxes: (N, 4) numbers, xyxy, image pixels: where people are, instead of asking the detector.
            color: Channel order of an array.

        Returns:
            The poses, in image pixels, best box first (or in the order of `boxes`); of length 0 if there is
            nobody.

        Raises:
            InputError: The image or the boxes cannot be used.
        """
        pixels = load_image(image, color=color)
        if boxes is not None:
            return self.keypoint_model(pixels, boxes)
        found = self.detector(pixels)
        return self.keypoint_model(pixels, found.boxes, box_scores=found.scores)

    @overload
    def map(
        self,
        images: Iterable[ImageSource],
        *,
        color: Color = "bgr",
        on_error: Literal["raise"] = "raise",
    ) -> Iterator[Poses]: ...

    @overload
    def map(
        self, images: Iterable[ImageSource], *, color: Color = "bgr", on_error: Literal["return"]
    ) -> Iterator[Poses | PoseOnnxError]: ...

    def map(
        self,
        images: Iterable[ImageSource],
        *,
        color: Color = "bgr",
        on_error: Literal["raise", "return"] = "raise",
    ) -> Iterator[Poses | PoseOnnxError]:
        """Find the people of many images, several images at once.

        Each of `threads` threads takes images through loading, detection and keypoints, so that these overlap
        between images. One more thread takes the next images from `images`, which may block (a camera) and
        holds up no result. At most 8 images for each thread are taken before their result is asked for; an
        array must not be written to until its result is there. It begins with the first result that is asked
        for. Dropping or closing the iterator ends it, once the images at work are done.

        Args:
            images: Paths or (H, W, 3) uint8 arrays.
            color: Channel order of arrays.
            on_error: `"raise"` raises what is wrong with an image in that image's turn, and ends there;
                `"return"` gives the error, a `PoseOnnxError`, in place of the poses and goes on.

        Returns:
            The poses of each image, in the order of `images`; equal to those of a call for each.

        Raises:
            InputError: An image cannot be used; or `images` is a single path.
            Exception: What `images` itself raises, after the results of the images before.

        Example:
            >>> for poses in estimator.map(sorted(Path("photos").glob("*.jpg"))):  # doctest: +SKIP
            ...     print(len(poses))
        """
        if isinstance(images, str | os.PathLike):
            raise InputError(f"images={str(images)!r} was given; give an iterable of images, such as [image]")
        if on_error not in _ON_ERROR:
            raise InputError(f"on_error={on_error!r} was given; it must be 'raise' or 'return'")
        stream = Stream(
            images,
            partial(self._find_group, color=color),
            workers=self.keypoint_model.lanes.count,
            group=GROUP_SIZE,
        )
        return _in_turn(stream.results(), PoseOnnxError if on_error == "return" else ())

    def _find_group(self, sources: Sequence[ImageSource], *, color: Color) -> list[Poses | Exception]:
        """Find the people of some images on the calling thread alone; errors take the place of poses."""
        looked = [self._look(source, color) for source in sources]
        scenes = [each for each in looked if not isinstance(each, Exception)]
        poses = iter(self.keypoint_model.find_all(scenes, Lanes(1)))
        return [each if isinstance(each, Exception) else next(poses) for each in looked]

    def _look(self, source: ImageSource, color: Color) -> Scene | Exception:
        """Load an image and detect the people."""
        try:
            pixels = load_image(source, color=color)
            found = self.detector.find(pixels, self.detector.single())
        except Exception as error:  # noqa: BLE001 (raised or returned when it is this image's turn)
            return error
        return Scene(pixels, found.boxes, found.scores)

    def close(self) -> None:
        """Release engines and threads."""
        self.detector.close()
        self.keypoint_model.close()


def _in_turn(
    results: Generator[Poses | Exception], returned: type[PoseOnnxError] | tuple[()]
) -> Iterator[Poses | PoseOnnxError]:
    """Give results, and errors of the kind to be returned; raise other errors."""
    with closing(results):
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, returned):
                raise result
            yield result
