"""Inference with the torch networks: folding of batch norms, input tensors, detection."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.images import resize
from training.norm import BatchNorm
from training.picodet import boxes, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN: Final = torch.tensor([0.485, 0.456, 0.406]) * 255  # of RGB, grey levels
STD: Final = torch.tensor([0.229, 0.224, 0.225]) * 255
NMS_IOU: Final = 0.6  # as in the exported detector
CANDIDATES: Final = 1000
KEPT: Final = 100


def to_input(images: NDArray[np.uint8], device: torch.device | None = None) -> Tensor:
    """RGB images (N,H,W,3) to the normalised input (N,3,H,W), channels last in memory."""
    x = torch.from_numpy(images).to(device).float()
    return ((x - MEAN.to(x.device)) / STD.to(x.device)).permute(0, 3, 1, 2)


def folded(network: nn.Module) -> nn.Module:
    """A copy for inference: batch norms folded into their convolutions, channels last."""
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        last: str | None = None
        for name, child in list(module.named_children()):
            if isinstance(child, BatchNorm) and last is not None:
                fused = fuse_conv_bn_eval(module.get_submodule(last), child)  # type: ignore[type-var]
                setattr(module, last, fused)
                setattr(module, name, child.activation())
            last = name
    network.requires_grad_(requires_grad=False)
    return network.to(memory_format=torch.channels_last)


def suppress(found: NDArray[np.float32], iou: float = NMS_IOU) -> NDArray[np.float32]:
    """Greedy non-maximum suppression of rows (x1,y1,x2,y2,score)."""
    found = found[np.argsort(-found[:, 4], kind="stable")]
    kept: list[NDArray[np.float32]] = []
    while len(found) and len(kept) < KEPT:
        best, found = found[0], found[1:]
        kept.append(best)
        low = np.maximum(best[:2], found[:, :2])
        high = np.minimum(best[2:4], found[:, 2:4])
        common = np.prod(np.maximum(high - low, 0), axis=1)
        area = np.prod(found[:, 2:4] - found[:, :2], axis=1)
        union = np.prod(best[2:4] - best[:2]) + area - common
        found = found[common <= iou * union]
    return np.array(kept, np.float32).reshape(-1, 5)


def detect(network: nn.Module, image: NDArray[np.uint8], size: int, threshold: float) -> NDArray[np.float32]:
    """People in one RGB image: rows (x1,y1,x2,y2,score) in image pixels."""
    small = resize(image, (size, size), cv2.INTER_CUBIC)
    with torch.inference_mode():
        raw = network(to_input(small[None]))
        found = torch.cat([boxes(raw, size), scores(raw)[..., None]], -1)[0].numpy()
    found = found[found[:, 4] > threshold]
    found = found[np.argsort(-found[:, 4])[:CANDIDATES]]
    height, width = image.shape[:2]
    found[:, :4] *= np.array([width, height, width, height], np.float32) / size
    return suppress(found)
