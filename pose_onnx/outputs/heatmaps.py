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
from pose_onnx.core.udp import decode_udp
from pose_onnx.outputs._spec import Shape, Tensors

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard
    from pose_onnx.presets import Preset

HEATMAPS = "heatmaps"
DARK: Final = "dark"
QUARTER: Final = "quarter"
UDP: Final = "udp"
LARGEST_BLUR_KERNEL: Final = 255
"""Far wider than any peak; PaddleDetection's widest is 17."""


@dataclass(frozen=True, slots=True)
class HeatmapOutput:
    """One tensor `heatmaps` (N, K, H / stride, W / stride).

    Attributes:
        stride: Input pixels per heatmap cell; a joint at input pixel x has its peak at cell x / stride.
        blur_kernel: Side of the Gaussian kernel that DARK smooths with; odd (docs/accuracy.md).
        refine: How a peak is refined to sub-pixel accuracy: "dark"; "quarter" to move it a quarter of a cell
            towards its higher neighbours; or "udp", which is DARK on all cells.
        align_corners: Whether the network was trained by UDP: the corner cells lie on the corner pixels, so a
            cell is a little larger than `stride` pixels.
    """

    kind: ClassVar[str] = "heatmaps"
    task: ClassVar[str] = "keypoints"

    stride: int = 4
    blur_kernel: int = 3
    refine: str = DARK
    align_corners: bool = False

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
            (
                not self.align_corners or self._has_whole_cells(card),
                "output.align_corners is set; input.size must be two or more times output.stride",
            ),
        )
        return [sentence for holds, sentence in checks if not holds]

    def _has_whole_cells(self, card: ModelCard) -> bool:
        return self.stride > 0 and all(
            side % self.stride == 0 and side > self.stride for side in card.picture.size
        )

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """See `OutputSpec`."""
        height, width = (side // self.stride for side in card.picture.size)
        return {HEATMAPS: (None, len(card.keypoints), height, width)}

    def read(self, tensors: Tensors, preset: Preset) -> tuple[F32, F32]:
        """Decode the heatmaps; see `KeypointOutput`."""
        heatmaps = tensors[HEATMAPS]
        cells, scores = _DECODERS[self.refine](heatmaps, self, preset)
        height, width = heatmaps.shape[2:]
        return cells * np.array(self.cell_size(height, width), np.float32), scores

    def cell_size(self, height: int, width: int) -> tuple[float, float]:
        """Return width and height of a cell in units of `stride` input pixels, for maps of h x w cells."""
        if not self.align_corners:
            return 1.0, 1.0
        across, down = ((side * self.stride - 1) / (side - 1) / self.stride for side in (width, height))
        return across, down

    def merge_mirrored(self, tensors: Tensors, mirrored: Tensors, card: ModelCard) -> Tensors:
        """See `KeypointOutput`.

        Mirroring moves input column x to w - 1 - x. After its map is mirrored back, a peak at cell x / s
        is therefore at x / s - (s - 1) / s: for a stride s of 4 it must be shifted by 0.75 cells.
        (PaddleDetection's evaluation shifts it by 1; its deployment does not flip.) With `align_corners`,
        mirroring moves the corner cells onto each other, so nothing is shifted.
        """
        joints = np.arange(len(card.keypoints))
        for left, right in card.flip_pairs:
            joints[[left, right]] = right, left
        back = mirrored[HEATMAPS][:, joints, :, ::-1]
        one_further = np.concatenate([back[..., :1], back[..., :-1]], axis=-1)
        shift = np.float32(0 if self.align_corners else 1 - 1 / self.stride)
        aligned = (1 - shift) * back + shift * one_further
        merged: F32 = (tensors[HEATMAPS] + aligned) / 2
        return {HEATMAPS: merged}


def _by_dark(heatmaps: F32, spec: HeatmapOutput, preset: Preset) -> tuple[F32, F32]:
    kernel = preset.blur_kernel or spec.blur_kernel
    return decode_heatmaps(heatmaps, blur_kernel=kernel, max_step=preset.max_step)


def _by_quarters(heatmaps: F32, spec: HeatmapOutput, preset: Preset) -> tuple[F32, F32]:
    del spec, preset  # only DARK uses them
    return decode_quarter_steps(heatmaps)


def _by_udp(heatmaps: F32, spec: HeatmapOutput, preset: Preset) -> tuple[F32, F32]:
    # The preset's kernel is that of PaddleDetection's deployment, which has no UDP.
    return decode_udp(heatmaps, blur_kernel=spec.blur_kernel, max_step=preset.max_step)


_DECODERS: Final[Mapping[str, Callable[[F32, HeatmapOutput, Preset], tuple[F32, F32]]]] = MappingProxyType(
    {DARK: _by_dark, QUARTER: _by_quarters, UDP: _by_udp}
)
