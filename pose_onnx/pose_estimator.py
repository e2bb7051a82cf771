"""The whole pipeline: image in, poses out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import ArrayLike

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import card_of, is_known_name, load_card
from pose_onnx.closing import Reopening
from pose_onnx.core.images import Color
from pose_onnx.detector import Detector
from pose_onnx.files import exists
from pose_onnx.image_files import ImageSource
from pose_onnx.joints import JointsOfCard
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.loading import CardLike, ModelLike, check_options
from pose_onnx.many_images import ManyImages
from pose_onnx.pairs import DEFAULT_QUALITY
from pose_onnx.poses import Poses
from pose_onnx.presets import DEFAULT_PRESET, Preset

if TYPE_CHECKING:
    from typing_extensions import Self

_IN_BOXES: Final = "keypoints"
PEOPLE: Final = "people"
"""What the card of a model that needs no detector says it is for."""

_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {_IN_BOXES: "pose_onnx.top_down:TopDownEstimator", PEOPLE: "pose_onnx.one_pass:OnePassEstimator"}
)
"""The class of an estimator, by what the model that finds the joints is for."""


class PoseEstimator(JointsOfCard, ManyImages, Reopening):
    """Finds people and their keypoints: with a detector and a keypoint model, or with one network for both.

    It is a `PoseModel` (`pose_onnx.pose_model`). The card of `pose` decides what comes back, as the system
    decides for `pathlib.Path`: a `TopDownEstimator`, which can also be given people's boxes, or a
    `OnePassEstimator`, which takes no detector.

    Args:
        detector: Official name or path of a detector, that of `quality` when `None`; or a `Detector` (or a
            `Runtime`, with `detector_card`), which stays the caller's to close. If it has other classes
            too, only people are kept. None may be given if `pose` finds the people itself.
        pose: The same for the keypoint model, or the model that finds all people in one pass.
        quality: Which pair of models stands in for those not given: `"builtin"`, or the official pairs
            `"fast"` and `"best"` (`pose_onnx.pairs`), which `pose-onnx models pull` fetches.
        backend: Which engine runs what is given by name or path.
        precision: Which of the named model's files to use, such as "fp16".
        threads: The largest number of threads busy at once; every core when `None`.
        preset: `"accurate"`, or `"paddle"` to be equal to PaddleDetection's deployed pipeline.
        threshold: Boxes with a score above this are people; when `None`, the preset's, or 0.3 in one pass.
        detector_card: For a detector's file without a card.
        pose_card: For a keypoint model's file without a card.
        flip: Also run each person (in one pass, the picture) mirrored and average: better keypoints for twice
            the time.
        batch_size: The most people in one run of the keypoint model; when `None`, chosen by the engine and
            the size of the input.
        nms: In one pass only: `"soft"` lowers the scores of people who overlap better ones
            (`pose_onnx.core.nms.soft_nms`), as CenterNet's option `--nms` does.
        options: Passed to the backend, for example `providers=[...]`.

    Attributes:
        card: The card of the model that finds the joints.

    Raises:
        PoseOnnxError: One of its subclasses, with a message that says what to do; see `pose_onnx.errors`.

    Example:
        >>> estimator = PoseEstimator()  # doctest: +SKIP
        >>> poses = estimator("photo.jpg")  # doctest: +SKIP
        >>> poses.keypoints.shape  # doctest: +SKIP
        (2, 17, 2)
    """

    card: ModelCard

    def __new__(
        cls,
        detector: object = None,
        pose: ModelLike | KeypointModel | None = None,
        *,
        pose_card: CardLike | None = None,
        **others: object,
    ) -> Self:
        """Make an object of the class that the card of `pose` calls for."""
        del detector, others  # `__init__` takes them
        kind = cls
        if cls is PoseEstimator:
            kind = resolve_name(_KINDS.get(task_of(pose, pose_card), _KINDS[_IN_BOXES]))
        return object.__new__(kind)

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
        nms: str | None = None,
        **options: Any,
    ) -> None:
        check_options(PoseEstimator, backend, options)
        engine = {"backend": backend, "precision": precision, "threads": threads, **options}
        self._arguments = {
            "detector": detector,
            "pose": pose,
            "quality": quality,
            "preset": preset,
            "threshold": threshold,
            "detector_card": detector_card,
            "pose_card": pose_card,
            "flip": flip,
            "batch_size": batch_size,
            "nms": nms,
            **engine,
        }
        self._opened: list[Any] = []
        try:
            self._open(self._arguments, engine)
        except BaseException:
            self.close()
            raise

    # What `help` and notebooks show: the arguments of `__init__`, not those that `__new__` looks at.
    __new__.__wrapped__ = __init__  # type: ignore[attr-defined]

    def _open(self, given: Mapping[str, Any], engine: Mapping[str, Any]) -> None:
        """Open the models and set `card`; what `close` is to release goes to `_opened`.

        Args:
            given: The arguments of `__init__`.
            engine: Those of them that say what runs the models.
        """
        raise NotImplementedError

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
            The poses, in image pixels, best person first (or in the order of `boxes`); of length 0 if there
            is nobody.

        Raises:
            InputError: The image or the boxes cannot be used (no boxes can in one pass), or a network answers
                with NaN or infinity.
        """
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return what results record about their origin: names, settings, digests of models and cards."""
        raise NotImplementedError

    def close(self) -> None:
        """Release engines and threads, except those of parts that the caller passed in."""
        for part in self._opened:
            part.close()


def task_of(pose: ModelLike | KeypointModel | None, card: CardLike | None = None) -> str:
    """Return what the model that finds the joints is for: `PEOPLE` if it needs no detector.

    Args:
        pose: As for `PoseEstimator`; a path that does not exist counts as a keypoint model.
        card: For a file without a card.

    Raises:
        PoseOnnxError: It has no card that can be read.
    """
    if pose is None or isinstance(pose, KeypointModel):
        return _IN_BOXES
    if card is not None:
        return (card if isinstance(card, ModelCard) else load_card(card)).task
    if not isinstance(pose, str | os.PathLike):
        return _IN_BOXES
    if is_known_name(pose):
        return load_card(pose).task
    return card_of(Path(pose), None).task if exists(pose) else _IN_BOXES
