"""A pipeline in the style of PaddleDetection's `deploy/python`, as a reference for benchmarks.

It was written from a description of what that code computes, not copied from it. It does the same work in the
same steps: boxes go through a suppression loop, each person gets one crop and one affine warp, pixels are
normalised as floats, at most 8 people go into one run of the network, and keypoints are decoded joint by
joint. The networks are the files that paddle2onnx makes, on ONNX Runtime.

Avoidable inefficiencies of the original are left out: boxes below the threshold never enter the suppression,
and a person's keypoints are mapped back in one step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Image = NDArray[np.uint8]
Warp = Callable[[Image, F64, tuple[int, int]], Image]

BATCH: Final = 8
CANDIDATES: Final = 200
EXPANSION: Final = 1.3
ASPECT: Final = 4 / 3
KERNEL: Final = 3
LOG_FLOOR: Final = 1e-10


def warp_affine(pixels: Image, matrix: F64, size: tuple[int, int]) -> Image:
    """Resample with OpenCV's own affine warp; `size` is width and height."""
    warped: Image = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR)
    return warped


@dataclass(frozen=True)
class ReferencePipeline:
    """A detector and a keypoint model, run step by step.

    Attributes:
        detector: ONNX Runtime session: image to boxes and scores before the suppression.
        pose: ONNX Runtime session: crops to heatmaps.
        detector_card: Card of the detector.
        pose_card: Card of the keypoint model.
        threshold: Boxes with a score above this are people.
        batch: Maximum number of people in one run of the keypoint model.
        warp: Function that resamples a crop.
    """

    detector: Any
    pose: Any
    detector_card: ModelCard
    pose_card: ModelCard
    threshold: float
    batch: int = BATCH
    warp: Warp = warp_affine

    def __call__(self, image_bgr: Image) -> tuple[F32, F32]:
        """Return boxes (N, 4) and keypoints (N, 17, 3) with scores, pixels of the image."""
        image = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
        boxes = self.find_people(image)
        crops, corners = [], []
        for box in boxes:
            crop, corner = expand_crop(image, box)
            if crop.size:
                crops.append(crop)
                corners.append(corner)
        people = [self.find_keypoints(crops[at : at + self.batch]) for at in range(0, len(crops), self.batch)]
        keypoints = np.concatenate(people) if people else np.zeros((0, len(self.pose_card.keypoints), 3))
        for person, corner in zip(keypoints, corners, strict=True):
            person[:, :2] += corner
        return boxes, keypoints.astype(np.float32)

    def find_people(self, image_rgb: Image) -> F32:
        """Return boxes (N, 4), pixels of the image."""
        height, width = self.detector_card.picture.size
        resized = cv2.resize(image_rgb, (width, height), interpolation=cv2.INTER_CUBIC)
        tensor = to_tensor(resized, self.detector_card)[None]
        boxes, scores = self.detector.run(None, {"image": tensor})
        kept = hard_nms(boxes[0], scores[0, :, 0], self.threshold, self.detector_card.output.nms_iou)
        factors = np.array([image_rgb.shape[1] / width, image_rgb.shape[0] / height] * 2, np.float32)
        people: F32 = kept * factors
        return people

    def find_keypoints(self, crops: list[Image]) -> F32:
        """Return keypoints (N, 17, 3) with scores, pixels of each crop."""
        height, width = self.pose_card.picture.size
        tensors = []
        for crop in crops:
            pixels = self.warp(crop, crop_to_input(crop, (width, height)), (width, height))
            tensors.append(to_tensor(pixels, self.pose_card))
        (heatmaps,) = self.pose.run(None, {"image": np.stack(tensors)})
        points = decode(heatmaps)
        keypoints = np.empty((*points.shape[:2], 3), np.float32)
        for person, crop in enumerate(crops):
            keypoints[person, :, :2] = to_crop(points[person], crop, heatmaps.shape[2:])
            keypoints[person, :, 2] = heatmaps[person].max(axis=(1, 2))
        return keypoints


def to_tensor(pixels_rgb: Image, card: ModelCard) -> F32:
    """Normalise pixels as floats and put channels first."""
    values = pixels_rgb.astype(np.float32, copy=False)
    values *= 1 / 255.0
    values -= np.array(card.picture.mean)
    values /= np.array(card.picture.std)
    return values.transpose(2, 0, 1).copy()


def hard_nms(boxes: F32, scores: F32, threshold: float, most_overlap: float) -> F32:
    """Keep the best boxes above a threshold, none of which overlaps a better one."""
    chosen = scores > threshold
    boxes, order = boxes[chosen], np.argsort(-scores[chosen], kind="stable")[:CANDIDATES]
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[order, :2])
        high = np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        area = np.prod(boxes[best, 2:] - boxes[best, :2])
        areas = np.prod(boxes[order, 2:] - boxes[order, :2], axis=1)
        order = order[shared / (area + areas - shared + 1e-5) <= most_overlap]
    return boxes[kept]


def expand_crop(image: Image, box: F32) -> tuple[Image, tuple[int, int]]:
    """Cut a person out, grown and widened to the network's aspect ratio; also return the crop's origin."""
    x1, y1, x2, y2 = (int(value) for value in box)
    center_x, center_y = (x1 + x2) / 2, (y1 + y2) / 2
    half_height, half_width = (y2 - y1) * EXPANSION / 2, (x2 - x1) * EXPANSION / 2
    if half_height > half_width * ASPECT:
        half_width = half_height / ASPECT
    left, top = max(0, int(center_x - half_width)), max(0, int(center_y - half_height))
    right = min(image.shape[1] - 1, int(center_x + half_width))
    bottom = min(image.shape[0] - 1, int(center_y + half_height))
    return image[top:bottom, left:right], (left, top)


def crop_to_input(crop: Image, size: tuple[int, int]) -> F64:
    """Return the map from a crop to the network's input: the width fills it, centre goes to centre."""
    height, width = crop.shape[:2]
    scale = size[0] / width
    return np.array(
        [[scale, 0, size[0] / 2 - scale * width / 2], [0, scale, size[1] / 2 - scale * height / 2]]
    )


def to_crop(points_heatmap: F64, crop: Image, heatmap_size: tuple[int, int]) -> F64:
    """Map one person's keypoints from heatmap cells to pixels of the crop."""
    size = np.array(crop.shape[1::-1])
    cells = np.array(heatmap_size[::-1])
    points: F64 = np.round(size / 2) + (points_heatmap - cells / 2) * (size[0] / cells[0])
    return points


def decode(heatmaps: F32) -> F64:
    """Return the keypoints (N, K, 2) of heatmaps (N, K, h, w) by DARK, joint by joint, in heatmap cells."""
    points = np.zeros((*heatmaps.shape[:2], 2))
    for person, joint in np.ndindex(*heatmaps.shape[:2]):
        points[person, joint] = decode_joint(heatmaps[person, joint])
    return points


def decode_joint(heatmap: F32) -> F64:
    """Return one keypoint."""
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    point = np.array([x, y], np.float64)
    blurred = cv2.GaussianBlur(np.pad(heatmap, 1).astype(np.float64), (KERNEL, KERNEL), 0)[1:-1, 1:-1]
    log = np.log(np.maximum(blurred * (heatmap.max() / blurred.max()), LOG_FLOOR))
    if 1 < x < heatmap.shape[1] - 2 and 1 < y < heatmap.shape[0] - 2:
        gradient = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
        dxx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
        dyy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
        dxy = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
        hessian = np.array([[dxx, dxy], [dxy, dyy]])
        if np.linalg.det(hessian) != 0:
            point -= np.linalg.inv(hessian) @ gradient
    return point
