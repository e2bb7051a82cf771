"""Joint by joint, as PaddleDetection's post-processing: what the core's decoders are held to."""

from __future__ import annotations

import cv2
import numpy as np


def plain_dark(heatmap: np.ndarray, kernel: int) -> tuple[float, float]:
    """One joint, written as the paper and PaddleDetection describe it, in float64."""
    heatmap = heatmap.astype(np.float64)
    height, width = heatmap.shape
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    if heatmap[y, x] <= 0:
        return 0.0, 0.0
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return float(x), float(y)
    margin = kernel // 2
    padded = np.pad(heatmap, margin)
    blurred = (
        cv2.GaussianBlur(padded, (kernel, kernel), 0)[margin:-margin, margin:-margin] if margin else heatmap
    )
    log = np.log(np.maximum(blurred * (heatmap.max() / blurred.max()), 1e-10))
    gradient = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
    dxx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
    dyy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
    dxy = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
    hessian = np.array([[dxx, dxy], [dxy, dyy]])
    if np.linalg.det(hessian) == 0:
        return float(x), float(y)
    step = -np.linalg.inv(hessian) @ gradient
    return float(x + step[0]), float(y + step[1])


def plain_udp(heatmap: np.ndarray, kernel: int) -> tuple[float, float]:
    """One joint, written as PaddleDetection's VitPosePostProcess describes it, in float64."""
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    if heatmap[y, x] <= 0:
        return 0.0, 0.0
    blurred = cv2.GaussianBlur(heatmap.astype(np.float64), (kernel, kernel), 0)
    log = np.pad(np.log(np.clip(blurred, 0.001, 50)), 1, mode="edge")
    x, y = x + 1, y + 1
    here, left, right, above, below = log[y, x], log[y, x - 1], log[y, x + 1], log[y - 1, x], log[y + 1, x]
    gradient = np.array([right - left, below - above]) / 2
    dxy = (log[y + 1, x + 1] - right - below + 2 * here - left - above + log[y - 1, x - 1]) / 2
    hessian = np.array([[right - 2 * here + left, dxy], [dxy, below - 2 * here + above]])
    step = -np.linalg.inv(hessian + np.finfo(np.float32).eps * np.eye(2)) @ gradient
    return float(x - 1 + step[0]), float(y - 1 + step[1])


def plain_quarter(heatmap: np.ndarray) -> tuple[float, float]:
    """One joint, written as PaddleDetection's HRNetPostProcess describes it."""
    height, width = heatmap.shape
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    if heatmap[y, x] <= 0:
        return 0.0, 0.0
    if not (1 < x < width - 1 and 1 < y < height - 1):
        return float(x), float(y)
    dx, dy = heatmap[y, x + 1] - heatmap[y, x - 1], heatmap[y + 1, x] - heatmap[y - 1, x]
    return float(x + np.sign(dx) / 4), float(y + np.sign(dy) / 4)
