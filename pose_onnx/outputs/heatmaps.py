"""Keypoints as heatmaps of one person's crop: PP-TinyPose, HRNet and similar networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from pose_onnx.cards.schema import check_types, short
from pose_onnx.core.arrays import F32
from pose_onnx.core.heatmaps import decode_heatmaps, decode_quarter_steps
from pose_onnx.outputs._spec import Shape, Tensors

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard
    from pose_onnx.presets import Preset

HEATMAPS = "heatmaps"
DARK: Final = "dark"
QUARTER: Final = "quarter"
LARGEST_BLUR_KERNEL: Final = 255
"""Far wider than any peak; PaddleDetection's widest is 17."""


@dataclass(frozen=True, slots=True)
class HeatmapOutput:
    """One tensor `heatmaps` (N, K, H / stride, W / stride).

    Attributes:
        stride: Input pixels per heatmap cell; a joint at input pixel x has its peak at cell x / stride.
        blur_kernel: Side of the Gaussian kernel that DARK smooths with; odd (docs/accuracy.md).
        refine: How a peak is refined to sub-pixel accuracy: "dark", or "quarter" to move it a quarter of a
            cell towards its higher neighbours.
    """

    kind: ClassVar[str] = "heatmaps"
    task: ClassVar[str] = "keypoints"

    stride: int = 4
    blur_kernel: int = 3
    refine: str = DARK

    def __post_init__(self) -> None:
        check_types(self, "the card's output")

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """See `OutputSpec`."""
        return (HEATMAPS,)

    def problems(self, card: ModelCard) -> list[str]:
        """See `OutputSpec`."""
        checks = (
            (bool(card.keypoints), "a keypoint model must name its keypoints"),
            (self.stride > 0, f"output.stride is {self.stride}; it must be 1 or more"),
            (
                0 < self.blur_kernel <= LARGEST_BLUR_KERNEL and self.blur_kernel % 2 == 1,
                f"output.blur_kernel is {self.blur_kernel}; it must be odd, from 1 to {LARGEST_BLUR_KERNEL}",
            ),
            (
                self.refine in _DECODERS,
                f"output.refine is {short(self.refine)}; it must be one of {[*_DECODERS]}",
            ),
        )
        return [sentence for holds, sentence in checks if not holds]

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """See `OutputSpec`."""
        height, width = (side // self.stride for side in card.picture.size)
        return {HEATMAPS: (None, len(card.keypoints), height, width)}

    def read(self, tensors: Tensors, preset: Preset) -> tuple[F32, F32]:
        """Decode the heatmaps; see `KeypointOutput`."""
        return _DECODERS[self.refine](tensors[HEATMAPS], self, preset)

    def merge_mirrored(self, tensors: Tensors, mirrored: Tensors, card: ModelCard) -> Tensors:
        """See `KeypointOutput`.

        Mirroring moves input column x to w - 1 - x. After its map is mirrored back, a peak at cell x / s
        is therefore at x / s - (s - 1) / s: for a stride s of 4 it must be shifted by 0.75 cells.
        (PaddleDetection's evaluation shifts it by 1; its deployment does not flip.)
        """
        joints = np.arange(len(card.keypoints))
        for left, right in card.flip_pairs:
            joints[[left, right]] = right, left
        back = mirrored[HEATMAPS][:, joints, :, ::-1]
        one_further = np.concatenate([back[..., :1], back[..., :-1]], axis=-1)
        shift = np.float32(1 - 1 / self.stride)
        aligned = (1 - shift) * back + shift * one_further
        merged: F32 = (tensors[HEATMAPS] + aligned) / 2
        return {HEATMAPS: merged}


def _by_dark(heatmaps: F32, spec: HeatmapOutput, preset: Preset) -> tuple[F32, F32]:
    kernel = preset.blur_kernel or spec.blur_kernel
    return decode_heatmaps(heatmaps, blur_kernel=kernel, max_step=preset.max_step)


def _by_quarters(heatmaps: F32, spec: HeatmapOutput, preset: Preset) -> tuple[F32, F32]:
    del spec, preset  # only DARK uses them
    return decode_quarter_steps(heatmaps)


_DECODERS: Final[Mapping[str, Callable[[F32, HeatmapOutput, Preset], tuple[F32, F32]]]] = MappingProxyType(
    {DARK: _by_dark, QUARTER: _by_quarters}
)
