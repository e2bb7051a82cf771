"""What all kinds of output have in common, and what the kinds of each task share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

from pose_onnx.core.arrays import F32
from pose_onnx.detections import Detections

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard
    from pose_onnx.presets import Preset

Shape = tuple["int | None", ...]
"""Sizes of a tensor's axes; `None` where any size is allowed."""
Tensors = Mapping[str, F32]
"""A network's outputs by name."""


class OutputSpec(Protocol):
    """A kind of output: a frozen dataclass whose fields are stored in the card.

    Attributes:
        kind: Its name in a card.
        task: What it is used for: "detect" (boxes in a picture), "keypoints" (joints in one person's
            crop), "people" (all people in a picture and their joints) or "actions" (what a person does).
    """

    kind: ClassVar[str]
    task: ClassVar[str]

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """Names of the outputs that the model's file must have."""

    def problems(self, card: ModelCard) -> list[str]:
        """Describe what is wrong with the card's values, in full sentences."""

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """Return the shape that each tensor must have according to the card."""


class DetectionOutput(OutputSpec, Protocol):
    """Output of a network that finds boxes in a picture."""

    def decode(self, tensors: Tensors, input_size: tuple[int, int]) -> tuple[F32, F32]:
        """Return boxes (N, A, 4), xyxy in pixels of the network's input, and scores (N, A, C), 0 to 1."""

    def select(self, boxes: F32, scores: F32, threshold: float, picture: tuple[int, int]) -> Detections:
        """From (A, 4) boxes with (A, C) scores, keep those above a threshold that no better box covers.

        Boxes are in pixels of the picture, whose height and width are given.
        """


class KeypointOutput(OutputSpec, Protocol):
    """Output of a network that finds the joints of the one person in its input."""

    @property
    def stride(self) -> int:
        """Input pixels per unit of the points that `read` returns."""

    def read(self, tensors: Tensors, preset: Preset) -> tuple[F32, F32]:
        """Return points (N, K, 2), xy in units of `stride` input pixels, and scores (N, K)."""

    def merge_mirrored(self, tensors: Tensors, mirrored: Tensors, card: ModelCard) -> Tensors:
        """Average outputs with those of the same crops mirrored (`tensor[..., ::-1]`)."""


def detector_checks(card: ModelCard, max_boxes: int) -> tuple[tuple[bool, str], ...]:
    """Return what every detector's card must fulfil: whether it does, and the sentence if it does not."""
    return (
        (bool(card.classes), "a detector must name its classes"),
        (max_boxes > 0, f"output.max_boxes is {max_boxes}; it must be 1 or more"),
    )


def nms_checks(card: ModelCard, max_boxes: int, nms_iou: float) -> tuple[tuple[bool, str], ...]:
    """Return `detector_checks`, and the same for a detector whose boxes go through an NMS."""
    return (
        *detector_checks(card, max_boxes),
        (0 <= nms_iou <= 1, f"output.nms_iou is {nms_iou}; it must be from 0 to 1"),
    )
