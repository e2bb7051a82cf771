"""A keypoint model's input, and its heatmaps read as keypoints: functions on arrays."""

from __future__ import annotations

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.crops import Crops, transform
from pose_onnx.core.heatmaps import decode_heatmaps
from pose_onnx.core.normalizing import normalize
from pose_onnx.core.warping import warp_all
from pose_onnx.presets import Preset


def keypoint_input(image_bgr: Image, crops: Crops, card: ModelCard, *, out: F32 | None = None) -> F32:
    """Cut N people out of an image and normalise them.

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        crops: Where they are.
        card: The keypoint model's card.
        out: (N, 3, h, w) float32, C-contiguous: where to write them, instead of to a new array.

    Returns:
        (N, 3, h, w) float32.
    """
    height, width = card.input_size
    tensor = np.empty((len(crops.valid), 3, height, width), np.float32) if out is None else out
    crop_pixels = warp_all(image_bgr, crops.image_to_input, crops.regions, (height, width))
    for pixels, target in zip(crop_pixels, tensor, strict=True):
        normalize(pixels, card, out=target)
    return tensor


def merge_mirrored(heatmaps: F32, mirrored: F32, card: ModelCard) -> F32:
    """Average the heatmaps of crops with those of the same crops mirrored (`tensor[..., ::-1]`).

    Mirroring takes input column x to w - 1 - x, so a peak at cell x / s reappears, once its map is mirrored
    back, at x / s - (s - 1) / s: for a stride s of 4 it must move by 0.75 cells. (PaddleDetection's
    evaluation moves it by 1, its deployment does not flip.)

    Args:
        heatmaps: (N, K, h, w) float32.
        mirrored: (N, K, h, w) float32.
        card: Its `flip_pairs` and `heatmap.stride`.

    Returns:
        (N, K, h, w) float32.
    """
    joints = np.arange(len(card.keypoints))
    for left, right in card.flip_pairs:
        joints[[left, right]] = right, left
    back = mirrored[:, joints, :, ::-1]
    one_further = np.concatenate([back[..., :1], back[..., :-1]], axis=-1)
    shift = np.float32(1 - 1 / card.heatmap.stride)
    aligned = (1 - shift) * back + shift * one_further
    merged: F32 = (heatmaps + aligned) / 2
    return merged


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
