"""A picture as a network's input, as described by a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pose_onnx.cards.schema import check_types, short
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.normalizing import normalize
from pose_onnx.errors import CardError

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard

MAX_SIDE: Final = 8192
"""Maximum side of a network's input in pixels; a card with more is damaged."""
PERSON_CROP: Final = "affine_crop"
"""The method of keypoint models: one person, aspect ratio kept (`pose_onnx.core.crops`)."""
MAX_VALUE: Final = 65504.0
"""Maximum of an input value and of a mean: the largest float16; float32 has room for more."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a picture becomes a network's input: one tensor `image` (N, 3, H, W).

    Attributes:
        size: Height and width, pixels.
        resize: How a picture, or a person in it, is brought to that size: "affine_crop" (one person, aspect
            ratio kept), or a name in `pose_onnx.resizing.RESIZERS`.
        color: Channel order of the network's input.
        mean: Subtracted from each channel, in the order of `color`, after scaling pixels to 0..1.
        std: Each channel is then divided by this.
    """

    tensor_name: ClassVar[str] = "image"

    size: tuple[int, int]
    resize: str
    color: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of ImageNet, RGB
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        check_types(self, "the card's input")
        if not 0 < min(self.size) <= max(self.size) <= MAX_SIDE:
            raise CardError(
                f"the card's input has size {self.size}; it must be height and width, 1 to {MAX_SIDE}"
            )
        if min(self.std) <= 0:
            raise CardError(f"the card's input has std {self.std}; each must be above 0")
        largest = max(
            max(abs(mean), abs(mean / std), abs((1 - mean) / std))
            for mean, std in zip(self.mean, self.std, strict=True)
        )
        if largest > MAX_VALUE:
            raise CardError(
                f"the card's input has mean {short(self.mean)} and std {short(self.std)}, with which "
                f"normalised pixels exceed {MAX_VALUE:g}; give mean and std of pixels from 0 to 1"
            )

    def shape(self, card: ModelCard) -> tuple[int, int, int]:
        """Return the shape of the network's input without the batch axis."""
        del card  # the input size does not depend on the rest of the card
        return len(self.mean), *self.size

    def describe(self) -> str:
        """Describe the input in a few words, for tables."""
        height, width = self.size
        return f"{height} x {width}"

    def normalize(self, pixels_bgr: Image, *, out: F32) -> None:
        """Normalise (h, w, 3) uint8 BGR pixels and write them to a (3, h, w) float32 tensor."""
        normalize(pixels_bgr, color=self.color, mean=self.mean, std=self.std, out=out)
