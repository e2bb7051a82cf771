"""A keypoint model's input, and the points that it finds in the frame of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.crops import Crops, transform
from pose_onnx.core.warping import warp_all

if TYPE_CHECKING:
    from pose_onnx.cards.input import InputSpec


def keypoint_input(image_bgr: Image, crops: Crops, spec: InputSpec, *, out: F32 | None = None) -> F32:
    """Cut N people out of an image and normalise them.

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        crops: Where they are.
        spec: Size and normalisation of the network's input.
        out: (N, 3, h, w) float32, C-contiguous: the array to write to, instead of a new one.

    Returns:
        (N, 3, h, w) float32.
    """
    height, width = spec.size
    tensor = np.empty((len(crops.valid), 3, height, width), np.float32) if out is None else out
    crop_pixels = warp_all(image_bgr, crops.image_to_input, crops.regions, (height, width))
    for pixels, target in zip(crop_pixels, tensor, strict=True):
        spec.normalize(pixels, out=target)
    return tensor


def keypoints_in_image(points: F32, scores: F32, crops: Crops) -> tuple[F32, F32]:
    """Map keypoints back to the image.

    Args:
        points: (N, K, 2) float32, xy, in the unit of the network's output (heatmap cells).
        scores: (N, K) float32.
        crops: What `keypoint_input` was given.

    Returns:
        keypoints_image: (N, K, 2) float32, xy, image pixels. Where a crop is not valid, the box's centre.
        scores: (N, K) float32; 0 where a crop is not valid.
    """
    points_image = transform(crops.heatmap_to_image, points)
    return points_image.astype(np.float32), scores * crops.valid[:, None]
