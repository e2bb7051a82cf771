"""From heatmaps to keypoints for networks trained by UDP: DARK on all cells of the map.

UDP (Huang et al., "The Devil Is in the Details: Delving into Unbiased Data Processing for Human Pose
Estimation", CVPR 2020) refines as DARK does (`pose_onnx.core.heatmaps`), with three differences: derivatives
are taken between neighbouring cells; beyond its border the map goes on as its last cell, so that a peak there
moves half a cell outwards; and a wide Gaussian smooths it. Only the 3x3 cells around a peak matter. Smoothing
is linear: each of these cells is a row of weights times the map times a column of weights.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from pose_onnx.core.arrays import F32, F64
from pose_onnx.core.heatmaps import demand_heatmaps, find_peaks, gaussian, newton_steps
from pose_onnx.core.opencv import cv2

LOWEST: Final = 0.001
HIGHEST: Final = 50.0
"""Smoothed values are clipped to these before the logarithm (VitPosePostProcess of PaddleDetection)."""
DAMPING: Final = float(np.finfo(np.float32).eps)
"""Added to both second derivatives, so that a flat place moves nowhere (likewise)."""
REACH: Final = 1
"""Cells on each side of the peak that the derivatives use."""


def decode_udp(heatmaps: F32, *, blur_kernel: int = 11, max_step: float | None = None) -> tuple[F32, F32]:
    """Find the K keypoints of N people, as PaddleDetection does for ViTPose (`VitPosePostProcess`).

    A joint whose map has no value above 0 (empty, flat) is put at (0, 0) with that value as score; the
    reference moves it from there.

    Args:
        heatmaps: (N, K, h, w) float32. Not written to.
        blur_kernel: Side of the Gaussian that smooths the map, odd. 1 smooths nothing.
        max_step: Steps longer than this many cells on an axis are shortened to it: a longer one leaves the
            cells that the paraboloid was fitted to. `None`: no limit, as in PaddleDetection.

    Returns:
        points_heatmap: (N, K, 2) float32, xy, heatmap cells (an integer is a cell's centre).
        scores: (N, K) float32, the value of the highest cell of the original map.

    Raises:
        InputError: `heatmaps` is not an (N, K, h, w) array, has no cells, or holds NaN or infinity.
    """
    people, joints, height, width = demand_heatmaps(heatmaps)
    maps = heatmaps.reshape(people * joints, height, width)
    cells, scores = find_peaks(maps)
    # Beyond the border the map goes on as its last cell.
    around = cells[:, :, None] + np.arange(-REACH, REACH + 1)
    columns, rows = around[:, 0].clip(0, width - 1), around[:, 1].clip(0, height - 1)
    across, down = smoothing(width, blur_kernel)[columns], smoothing(height, blur_kernel)[rows]
    smooth = down @ maps @ across.transpose(0, 2, 1)
    steps = _newton_steps(np.log(smooth.clip(LOWEST, HIGHEST)))
    if max_step is not None:
        steps = steps.clip(-max_step, max_step)
    points = cells + np.where(scores[:, None] > 0, steps, 0.0)
    return points.reshape(people, joints, 2).astype(np.float32), scores.reshape(people, joints)


@lru_cache(maxsize=8)
def smoothing(side: int, kernel: int) -> F64:
    """Return the (side, side) matrix that smooths a line of cells: row i gives the smoothed cell i.

    Beyond its ends the line goes on mirrored at the last cell, as OpenCV's blur has it by default. The matrix
    is shared between callers and cannot be written to.
    """
    weights = gaussian(kernel)
    matrix: F64 = cv2.sepFilter2D(
        np.eye(side), cv2.CV_64F, np.ones(1), weights, borderType=cv2.BORDER_REFLECT_101
    )
    matrix.flags.writeable = False
    return matrix


def _newton_steps(logs: F64) -> F64:
    """Return the (M, 2) xy step from the middle of each (M, 3, 3) patch to its paraboloid's vertex."""
    here, left, right = logs[:, 1, 1], logs[:, 1, 0], logs[:, 1, 2]
    above, below = logs[:, 0, 1], logs[:, 2, 1]
    dx, dy = (right - left) / 2, (below - above) / 2
    dxx, dyy = right - 2 * here + left, below - 2 * here + above
    # Of the two diagonals one is used only; for a paraboloid both give the same.
    dxy = (logs[:, 2, 2] - right - below + 2 * here - left - above + logs[:, 0, 0]) / 2
    return newton_steps(dx, dy, dxx + DAMPING, dyy + DAMPING, dxy)
