"""Run the torch networks, folded for inference, with the pre- and postprocessing of `pose_onnx.core`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pose_onnx import PRESETS, Detections, ModelCard, Poses
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.keypoints import keypoint_input, keypoints_in_image
from pose_onnx.detector import detector_input
from pose_onnx.outputs import DetectionOutput, KeypointOutput
from training.norm import BatchNorm
from training.picodet import boxes, scores

PRESET: Final = PRESETS["accurate"]
WHITE: Final = 255  # grey level of 1.0


def to_input(images_rgb: NDArray[np.uint8], card: ModelCard, device: torch.device | None = None) -> Tensor:
    """RGB images (N,H,W,3) to the normalised input (N,3,H,W), channels last in memory.

    Computes the same as `pose_onnx.core.normalizing`, but for a batch and on any device.
    """
    x = torch.from_numpy(images_rgb).to(device).float()
    mean, std = (
        torch.tensor(values, device=x.device) * WHITE for values in (card.picture.mean, card.picture.std)
    )
    return ((x - mean) / std).permute(0, 3, 1, 2)


def folded(network: nn.Module) -> nn.Module:
    """A copy for inference: batch norms folded into their convolutions, channels last."""
    network = copy.deepcopy(network).eval()
    for module, convolution, norm in normalised(network):
        folded_norm = module.get_submodule(norm)
        setattr(module, convolution, fuse_conv_bn_eval(module.get_submodule(convolution), folded_norm))
        setattr(module, norm, cast("BatchNorm", folded_norm).activation())
    network.requires_grad_(requires_grad=False)
    return network.to(memory_format=torch.channels_last)


def round_kernels(network: nn.Module) -> None:
    """Change the kernels, by half a step of float16 at most, so that `folded` ones are float16 numbers.

    A file with float16 weights then computes what the checkpoint does.
    """
    scales: dict[nn.Module, Tensor] = {}
    for module, convolution, norm in normalised(network):
        batch_norm = cast("BatchNorm", module.get_submodule(norm))
        scale = batch_norm.weight / (cast("Tensor", batch_norm.running_var) + batch_norm.eps).sqrt()
        scales[module.get_submodule(convolution)] = scale.detach().double().reshape(-1, 1, 1, 1)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            scale = scales.get(module, torch.ones(1, dtype=torch.float64, device=module.weight.device))
            rounded = (module.weight.detach().double() * scale).half().double() / scale
            # A channel that its norm multiplies by zero has no effect; any kernel will do.
            module.weight.data.copy_(torch.where(scale == 0, module.weight.double(), rounded))


def normalised(network: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Each convolution that a batch norm follows: the module that holds both, and their names in it."""
    for module in list(network.modules()):
        for (first, _), (second, norm) in pairwise(list(module.named_children())):
            if isinstance(norm, BatchNorm):
                yield module, first, second


def find_people(network: nn.Module, image_bgr: Image, card: ModelCard, threshold: float) -> Detections:
    """Detect the people in one picture.

    Args:
        network: A PicoDet for inference.
        image_bgr: (H, W, 3) uint8, BGR.
        card: The model's card.
        threshold: Boxes with a score above this are kept.

    Returns:
        Boxes in image pixels, clipped to the picture, best first.
    """
    output = cast("DetectionOutput", card.output)
    width = card.picture.size[1]
    tensor, resized = detector_input(image_bgr, card.picture)
    raw = _run(network, tensor)
    tensors = {"boxes": boxes(raw, width).numpy(), "scores": scores(raw)[..., None].numpy()}
    boxes_input, box_scores = output.decode(tensors, card.picture.size)
    found = output.select(boxes_input[0], box_scores[0], threshold, card.picture.size)
    limits = np.array(2 * image_bgr.shape[1::-1], np.float32)
    boxes_image = (found.boxes * resized.scale + resized.offset).clip(0, limits)
    return Detections(boxes_image, found.scores, found.labels)


def find_poses(network: nn.Module, image_bgr: Image, boxes_image: F32, card: ModelCard) -> Poses:
    """Find the keypoints of the people in given boxes, in one pass.

    Args:
        network: A TinyPose for inference.
        image_bgr: (H, W, 3) uint8, BGR.
        boxes_image: (N, 4) float32, xyxy, image pixels.
        card: The model's card.

    Returns:
        N poses.
    """
    output = cast("KeypointOutput", card.output)
    height, width = image_bgr.shape[:2]
    crops = PRESET.crops(boxes_image, (height, width), card.picture.size, output.stride)
    heatmaps = _run(network, keypoint_input(image_bgr, crops, card.picture)).numpy()
    points, heights = output.read({"heatmaps": heatmaps}, PRESET)
    keypoints, joint_scores = keypoints_in_image(points, heights, crops)
    box_scores = np.ones(len(boxes_image), np.float32)
    return Poses(keypoints, joint_scores, boxes_image, box_scores, card.keypoints)


def _run(network: nn.Module, tensor: F32) -> Any:
    """The output of a network as a CPU array, whatever device it runs on."""
    device = next(network.parameters(), torch.empty(0)).device
    with torch.inference_mode():
        return network(torch.from_numpy(tensor).to(device)).float().cpu().contiguous()
