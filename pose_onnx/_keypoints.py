"""A keypoint model's input, and its heatmaps read as keypoints: functions on arrays."""

from __future__ import annotations

import numpy as np

from pose_onnx._card import ModelCard
from pose_onnx._geometry import Crops, transform
from pose_onnx._heatmap import decode_heatmaps
from pose_onnx._normalize import normalize
from pose_onnx._presets import Preset
from pose_onnx._types import F32, Image
from pose_onnx._warp import warp


def keypoint_input(image_bgr: Image, crops: Crops, card: ModelCard) -> F32:
    """Cut N people out of an image and normalise them.

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        crops: Where they are.
        card: The keypoint model's card.

    Returns:
        (N, 3, h, w) float32.
    """
    height, width = card.input_size
    tensor = np.empty((len(crops.valid), 3, height, width), np.float32)
    for index in range(len(tensor)):
        pixels = warp(image_bgr, crops.image_to_input[index], crops.regions[index], (height, width))
        normalize(pixels, card, out=tensor[index])
    return tensor


def read_keypoints(heatmaps: F32, crops: Crops, card: ModelCard, preset: Preset) -> tuple[F32, F32]:
    """Decode heatmaps and map the keypoints back to the image.

    Args:
        heatmaps: (N, K, h, w) float32.
        crops: What `keypoint_input` was given.
        card: The keypoint model's card.
        preset: How to decode.

    Returns:
        keypoints_image: (N, K, 2) float32, xy, image pixels. Where a crop is not valid, the box's centre.
        scores: (N, K) float32; 0 where a crop is not valid.
    """
    points_heatmap, scores = decode_heatmaps(
        heatmaps, blur_kernel=preset.blur_kernel or card.heatmap.blur_kernel, max_step=preset.max_step
    )
    points_image = transform(crops.heatmap_to_image, points_heatmap)
    return points_image.astype(np.float32), scores * crops.valid[:, None]
