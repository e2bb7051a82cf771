"""From heatmaps to keypoints: the peak, moved to sub-pixel accuracy by DARK or by a quarter of a cell.

DARK (Zhang et al., "Distribution-Aware Coordinate Representation for Human Pose Estimation", CVPR 2020)
takes the logarithm of a smoothed heatmap, which is a paraboloid if the heatmap is a Gaussian, and makes one
Newton step from the highest cell to the paraboloid's vertex. Only the 5x5 cells around a peak matter, so
only these are smoothed. This equals smoothing the whole map, is many times cheaper, and all joints of all
people are processed at once.

The quarter step (Newell et al., "Stacked Hourglass Networks", ECCV 2016) is for networks that were trained
on peaks rounded to whole cells: it moves a quarter of a cell from the highest cell towards its higher
neighbour, on each axis.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32, F64
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import InputError

LOG_FLOOR: Final = 1e-10
"""Heatmap values are raised to this before the logarithm (deploy/python/keypoint_postprocess.py)."""

REACH: Final = 2
"""Cells on each side of the peak that the derivatives use."""

QUARTER: Final = 0.25
"""Length of a quarter step on each axis, cells."""

_HEATMAP_RANK: Final = 4


def decode_heatmaps(heatmaps: F32, *, blur_kernel: int = 3, max_step: float | None = None) -> tuple[F32, F32]:
    """Find the K keypoints of N people.

    A joint whose map has no value above 0 (empty, flat) is put at (0, 0) with that value as score. A peak
    within two cells of the border, or where the paraboloid is singular, stays on its cell.

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
    points = cells.astype(np.float64)
    inside = (cells >= REACH) & (cells <= np.array([width, height]) - 1 - REACH)
    refinable = np.flatnonzero(inside.all(axis=1) & (scores > 0))
    steps = _newton_steps(_log_patches(maps, cells, refinable, blur_kernel))
    if max_step is not None:
        steps = np.clip(steps, -max_step, max_step)
    points[refinable] += steps
    return points.reshape(people, joints, 2).astype(np.float32), scores.reshape(people, joints)


def decode_quarter_steps(heatmaps: F32) -> tuple[F32, F32]:
    """Find the K keypoints of N people, as PaddleDetection does for models without DARK (`use_dark: false`).

    Like `decode_heatmaps`, but each peak moves by `QUARTER` towards its higher neighbour on each axis, or
    stays where both are equal. Peaks in the first two rows or columns, or in the last, stay on their cells.

    Args:
        heatmaps: (N, K, h, w) float32. Not written to.

    Returns:
        points_heatmap: (N, K, 2) float32, xy, heatmap cells (an integer is a cell's centre).
        scores: (N, K) float32, the value of the highest cell.

    Raises:
        InputError: `heatmaps` is not an (N, K, h, w) array, has no cells, or holds NaN or infinity.
    """
    people, joints, height, width = demand_heatmaps(heatmaps)
    maps = heatmaps.reshape(people * joints, height, width)
    cells, scores = find_peaks(maps)
    points = cells.astype(np.float32)
    inside = (cells >= REACH) & (cells < np.array([width, height]) - 1)
    movable = np.flatnonzero(inside.all(axis=1))
    x, y = cells[movable].T
    right_minus_left = maps[movable, y, x + 1] - maps[movable, y, x - 1]
    below_minus_above = maps[movable, y + 1, x] - maps[movable, y - 1, x]
    points[movable] += np.float32(QUARTER) * np.sign(np.stack([right_minus_left, below_minus_above], axis=1))
    return points.reshape(people, joints, 2), scores.reshape(people, joints)


def demand_heatmaps(heatmaps: F32) -> tuple[int, int, int, int]:
    """Return N, K, h and w of heatmaps.

    Raises:
        InputError: They are not an (N, K, h, w) array, or have no cells.
    """
    if not isinstance(heatmaps, np.ndarray):
        raise InputError(f"heatmaps are a {type(heatmaps).__name__}; give a NumPy array (N, K, h, w)")
    if heatmaps.ndim != _HEATMAP_RANK or 0 in heatmaps.shape[1:]:
        raise InputError(f"heatmaps have shape {heatmaps.shape}; give (N, K, h, w) with at least one cell")
    people, joints, height, width = heatmaps.shape
    return people, joints, height, width


def find_peaks(maps: F32) -> tuple[NDArray[np.int64], F32]:
    """Return the highest cell of each map, (M, 2) xy, and its value, (M,).

    Of several equal cells the first in reading order is taken; (0, 0) where no value is above 0.

    Raises:
        InputError: A map holds NaN or infinity.
    """
    flat = maps.reshape(len(maps), maps.shape[1] * maps.shape[2])
    index = flat.argmax(axis=1)
    scores = flat[np.arange(len(flat)), index]
    # NaN and +inf anywhere are their map's highest value; only -inf is not.
    if not (np.isfinite(scores).all() and np.isfinite(flat.min(initial=0))):
        raise InputError(
            "the heatmaps contain NaN or infinity; check the model, and the precision of its export"
        )
    rows, columns = np.divmod(index, maps.shape[2])
    return np.stack([columns, rows], axis=1) * (scores > 0)[:, None], scores


def _log_patches(maps: F32, cells: NDArray[np.int64], chosen: NDArray[np.int64], kernel: int) -> F64:
    """Smooth and take the logarithm of the (M, 5, 5) cells around the chosen peaks."""
    weights = gaussian(kernel)
    reach = REACH + kernel // 2
    offsets = np.arange(-reach, reach + 1)
    rows = cells[chosen, 1, None] + offsets
    columns = cells[chosen, 0, None] + offsets
    height, width = maps.shape[1:]
    # Outside the map is zero.
    known = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    patches = maps[chosen[:, None, None], rows[:, :, None], columns[:, None, :]].astype(np.float64) * known
    side = 2 * REACH + 1
    blurred = sum(weights[i] * patches[:, i : i + side] for i in range(kernel))
    blurred = sum(weights[i] * blurred[:, :, i : i + side] for i in range(kernel))
    floored = np.flatnonzero((blurred <= LOG_FLOOR).any(axis=(1, 2)))
    blurred[floored] *= _restored_height(maps[chosen[floored]], weights)[:, None, None]
    logs: F64 = np.log(np.maximum(blurred, LOG_FLOOR))
    return logs


def _restored_height(maps: F32, weights: F64) -> F64:
    """Return what a smoothed map must be multiplied with to be as high as before.

    A factor is a constant in the logarithm and falls out of every derivative, unless a cell sits at
    `LOG_FLOOR`: only those maps are smoothed as a whole, to be equal to the reference there too.
    """
    factors = np.ones(len(maps))
    for index, heatmap in enumerate(maps):
        peak = cv2.sepFilter2D(
            heatmap.astype(np.float64), cv2.CV_64F, weights, weights, borderType=cv2.BORDER_CONSTANT
        ).max()
        factors[index] = heatmap.max() / peak
    return factors


def gaussian(kernel: int) -> F64:
    """Return the (kernel,) weights of a Gaussian with that many taps, as OpenCV computes them."""
    if kernel < 1 or kernel % 2 == 0:
        raise InputError(f"blur_kernel={kernel!r} was given; give an odd whole number of 1 or more")
    weights: F64 = cv2.getGaussianKernel(kernel, 0).ravel()  # 0: the sigma that OpenCV derives from the side
    return weights


def _newton_steps(logs: F64) -> F64:
    """Return the (M, 2) xy step from the middle of each (M, 5, 5) patch to its paraboloid's vertex."""
    here = logs[:, 2, 2]
    dx = (logs[:, 2, 3] - logs[:, 2, 1]) / 2
    dy = (logs[:, 3, 2] - logs[:, 1, 2]) / 2
    dxx = (logs[:, 2, 4] - 2 * here + logs[:, 2, 0]) / 4
    dyy = (logs[:, 4, 2] - 2 * here + logs[:, 0, 2]) / 4
    dxy = (logs[:, 3, 3] - logs[:, 1, 3] - logs[:, 3, 1] + logs[:, 1, 1]) / 4
    return newton_steps(dx, dy, dxx, dyy, dxy)


def newton_steps(dx: F64, dy: F64, dxx: F64, dyy: F64, dxy: F64) -> F64:
    """Return the (M, 2) xy step to where M paraboloids have their vertices; none if one is singular.

    Args:
        dx: (M,), first derivative along x.
        dy: (M,), along y.
        dxx: (M,), second derivative along x.
        dyy: (M,), along y.
        dxy: (M,), mixed.
    """
    determinant = dxx * dyy - dxy * dxy
    solvable = determinant != 0
    safe = np.where(solvable, determinant, 1.0)
    steps = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=1) / safe[:, None]
    return np.where(solvable[:, None], steps, 0.0)
