"""The whole pipeline: image in, poses out."""

from __future__ import annotations

import os
from typing import Any, Final, Literal

from numpy.typing import ArrayLike

from pose_onnx._detector import Detector
from pose_onnx._image import load_image
from pose_onnx._keypoint_model import BATCH_SIZE, KeypointModel
from pose_onnx._model import CardLike, Closing, ModelLike
from pose_onnx._presets import Preset
from pose_onnx._types import Image, Poses

DEFAULT_DETECTOR: Final = "picodet_s_192_lcnet_pedestrian_distilled"
DEFAULT_POSE: Final = "tinypose_128x96_distilled"


class PoseEstimator(Closing):
    """A person detector and a keypoint model, one after the other.

    Args:
        detector: Official name or path of a detector; the built-in one by default. Of one that knows more
            than people, only people are taken.
        pose: The same for the keypoint model.
        backend: Which engine runs both.
        threads: Threads inside one model run; every core when `None`.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        box_threshold: Boxes with a score above this are people; the preset's when `None`.
        detector_card: For a detector's file without a card.
        pose_card: For a keypoint model's file without a card.
        flip: Run each person mirrored too and average: better points for twice the time.
        batch_size: People in one run of the keypoint model, at most.
        options: Handed to the backend, for example `providers=[...]`.

    Raises:
        PoseOnnxError: One of its kinds, with what to do; see `pose_onnx._errors`.

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
        batch_size: int = BATCH_SIZE,
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

    def close(self) -> None:
        """Release both engines."""
        self.detector.close()
        self.keypoint_model.close()
