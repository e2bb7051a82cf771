"""Where each person is cropped from an image, and the way back: crops and affine maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import BOX, F32, F64

BOX_PADDING: Final = 1.15
"""Side of the crop over side of the box, by COCO AP (docs/accuracy.md). PaddleDetection evaluates with 1.25
(ppdet/data/source/keypoint_coco.py); less margin puts more of the network's few pixels on the person."""

PADDLE_EXPANSION: Final = 1.3
"""The same in PaddleDetection's deployed pipeline (deploy/python/keypoint_preprocess.py, expand_crop)."""


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """For each of N people, where the network's input comes from and where its heatmaps belong.

    Attributes:
        regions: (N, 4) int64, x0, y0, x1, y1 with x1 and y1 excluded: the only image pixels that a crop may
            see; outside is black.
        image_to_input: (N, 2, 3) float64, image pixels to input pixels.
        heatmap_to_image: (N, 2, 3) float64, heatmap cells to image pixels.
        valid: (N,) bool, false where a box has no area and nothing can be cropped.
    """

    regions: NDArray[np.int64]
    image_to_input: F64
    heatmap_to_image: F64
    valid: NDArray[np.bool_]

    @staticmethod
    def join(parts: Sequence[Crops]) -> Crops:
        """Put the crops of one or more images one after the other."""
        if len(parts) == 1:
            return parts[0]
        return Crops(
            np.concatenate([part.regions for part in parts]),
            np.concatenate([part.image_to_input for part in parts]),
            np.concatenate([part.heatmap_to_image for part in parts]),
            np.concatenate([part.valid for part in parts]),
        )

    def __getitem__(self, people: slice) -> Crops:
        """Select people."""
        return Crops(
            self.regions[people],
            self.image_to_input[people],
            self.heatmap_to_image[people],
            self.valid[people],
        )


def full_image_crops(
    boxes_image: F32,
    image_size: tuple[int, int],
    input_size: tuple[int, int],
    stride: int,
    *,
    padding: float = BOX_PADDING,
) -> Crops:
    """Crop each box from the full image: extended to the input's aspect, padded, never clipped at the border.

    The map to the input and the map back from the heatmap are exact inverses: a joint at input pixel x is
    trained to peak at cell x / stride. The box itself is first rounded to whole pixels: two engines' boxes
    differ by 1e-4 px, and that alone would make them resample different pixels and give keypoints 0.3 px
    apart.

    Args:
        boxes_image: (N, 4) xyxy, image pixels.
        image_size: Height and width of the image, pixels.
        input_size: Height and width of the network's input, pixels.
        stride: Input pixels per heatmap cell.
        padding: Side of the crop over side of the box.

    Returns:
        The crops. A box without area has `valid` false and a finite map to its centre.
    """
    boxes = np.asarray(boxes_image, np.float64).reshape(-1, BOX)
    height, width = input_size
    valid: NDArray[np.bool_] = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    low, high = boxes[:, :2].round(), boxes[:, 2:].round()
    size = np.maximum(high - low, 1.0)  # a valid box may round to nothing
    scale = width / (np.maximum(size[:, 0], size[:, 1] * width / height) * padding)
    image_to_input = _scale_about(scale, (low + high) / 2, ((width - 1) / 2, (height - 1) / 2))
    regions = np.empty((len(boxes), BOX), np.int64)
    regions[:] = 0, 0, image_size[1], image_size[0]
    back = np.zeros_like(image_to_input)
    back[:, 0, 0] = back[:, 1, 1] = 1 / scale * stride
    back[:, :, 2] = (-1 / scale)[:, None] * image_to_input[:, :, 2]
    return Crops(regions, image_to_input, _to_center(back, _centers(boxes), valid), valid)


def paddle_crops(
    boxes_image: F32, image_size: tuple[int, int], input_size: tuple[int, int], stride: int
) -> Crops:
    """Crop as PaddleDetection's `deploy/python` does, down to its truncations.

    Facts: deploy/python/keypoint_preprocess.py (expand_crop, TopDownEvalAffine) and keypoint_postprocess.py
        (transform_preds). The box is truncated to integers, grown by 1.3, widened (never heightened) to 3:4
        and clipped at the image's border; the cut-out is scaled by its width alone, about its centre. When
        mapping back, that centre is rounded, half to even, so the two maps are not inverse to each other.
        This is the reference's bias, kept because this function exists to match the reference.

    Args:
        boxes_image: (N, 4) xyxy, image pixels.
        image_size: Height and width of the image, pixels.
        input_size: Height and width of the network's input, pixels.
        stride: Input pixels per heatmap cell.

    Returns:
        The crops. Where a box lies entirely outside the image, `valid` is false.
    """
    boxes = np.trunc(np.asarray(boxes_image, np.float64).reshape(-1, BOX))
    height, width = input_size
    half = (boxes[:, 2:] - boxes[:, :2]) * PADDLE_EXPANSION / 2
    # The reference writes 4/3 and 0.75 whatever the network's input. Square ones (MPII, hands) then see less
    # than the crop: it is scaled by its width.
    half[:, 0] = np.where(half[:, 1] > half[:, 0] * 4 / 3, half[:, 1] * 0.75, half[:, 0])
    limits = np.array([image_size[1] - 1, image_size[0] - 1])
    center = _centers(boxes)
    low = np.maximum(0, np.trunc(center - half)).astype(np.int64)
    high = np.minimum(limits, np.trunc(center + half)).astype(np.int64)
    valid: NDArray[np.bool_] = np.all(high > low, axis=1)
    size = np.where(valid[:, None], high - low, 1).astype(np.float64)
    scale = width / size[:, 0]
    image_to_input = _scale_about(scale, low + size / 2, (width / 2, height / 2))
    heatmap = (width // stride / 2, height // stride / 2)
    back = _scale_about(size[:, 0] / (width // stride), np.array([heatmap]), (0.0, 0.0))
    back[:, :, 2] += low + np.round(size / 2)
    regions = np.concatenate([low, high], axis=1)
    return Crops(regions, image_to_input, _to_center(back, center, valid), valid)


def transform(maps: F64, points: F64 | F32) -> F64:
    """Apply N affine maps to N sets of points.

    Args:
        maps: (N, 2, 3).
        points: (N, K, 2), xy.

    Returns:
        (N, K, 2) float64.
    """
    moved: F64 = points @ maps[:, :, :2].transpose(0, 2, 1) + maps[:, None, :, 2]
    return moved


def _centers(boxes: F64) -> F64:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _scale_about(scale: F64, source: F64, target: tuple[float, float]) -> F64:
    """Return the (N, 2, 3) maps that scale by (N,) `scale` and take (N, 2) `source` to `target`."""
    maps = np.zeros((len(scale), 2, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = scale
    maps[:, :, 2] = np.array(target) - scale[:, None] * source
    return maps


def _to_center(maps: F64, centers: F64, valid: NDArray[np.bool_]) -> F64:
    """Replace the maps of crops that are not valid by one that takes every point to the box's centre."""
    if valid.all():
        return maps
    constant = np.concatenate([np.zeros((len(maps), 2, 2)), centers[:, :, None]], axis=2)
    return np.where(valid[:, None, None], maps, constant)
