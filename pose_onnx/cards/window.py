"""A window of one person's poses as a network's input, as described by a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from pose_onnx.cards.schema import check_types
from pose_onnx.core.arrays import POINT
from pose_onnx.errors import CardError

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard

MAX_FRAMES: Final = 10_000
"""Maximum number of frames in a window; a card with more is damaged."""


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """How poses become a network's input: one tensor `window` (N, 2, T, K, 1), with x and y as channels.

    The last axis is the number of persons examined together, as in PaddleVideo's tensors; here it is always
    one.

    Attributes:
        frames: T.
        seconds: The time that the frames span.
        box: Width and height that a person's box is scaled to, in each frame: a joint at its upper left
            corner is at (0, 0), one at its lower right at `box`.
    """

    tensor_name: ClassVar[str] = "window"

    frames: int
    seconds: float
    box: tuple[int, int]

    def __post_init__(self) -> None:
        check_types(self, "the card's input")
        if not 0 < self.frames <= MAX_FRAMES:
            raise CardError(f"the card's input has {self.frames} frames; it must be 1 to {MAX_FRAMES}")
        if self.seconds <= 0:
            raise CardError(f"the card's input spans {self.seconds} seconds; it must be above 0")
        if min(self.box) <= 0:
            raise CardError(f"the card's input has the box {self.box}; width and height must be above 0")

    def shape(self, card: ModelCard) -> tuple[int, int, int, int]:
        """Return the shape of the network's input without the batch axis."""
        return POINT, self.frames, len(card.keypoints), 1

    def describe(self) -> str:
        """Describe the input in a few words, for tables."""
        return f"{self.frames} poses"
