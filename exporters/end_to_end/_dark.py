"""DARK decoding inside the graph: `decode_heatmaps` of the core, its linear parts as two matrices."""

from __future__ import annotations

from typing import Final, cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F64
from pose_onnx.core.heatmaps import LOG_FLOOR, REACH, gaussian
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.outputs import HeatmapOutput
from pose_onnx.presets import Preset

_SIDE: Final = 2 * REACH + 1


def decode(heatmaps: Value, card: ModelCard, preset: Preset) -> tuple[Value, Value]:
    """Find the peaks and move them to sub-pixel accuracy.

    Args:
        heatmaps: (N, K, h, w) float32.
        card: The keypoint model's card.
        preset: Gives the step length, and the smoothing if it overrides the card's.

    Returns:
        points_heatmap: (N, K, 2) float32, xy, cells.
        scores: (N, K) float32.
    """
    spec = cast("HeatmapOutput", card.output)
    joints = len(card.keypoints)
    height, width = map_size(card)
    cells, scores = find_peaks(heatmaps, card)
    last_middle = np.array([[width, height]]) - 1 - REACH
    middles = cells.clip(REACH, last_middle)  # a patch around these lies inside the map
    kernel = preset.blur_kernel or spec.blur_kernel
    smooth = _smooth(heatmaps, joints, kernel).reshape(-1, height * width)
    logs = _log_patches(smooth, middles, width)
    steps = newton_steps(*(logs @ _DERIVATIVES).split(5, axis=1))
    if preset.max_step is not None:
        steps = steps.clip(-preset.max_step, preset.max_step)
    moved = (cells - middles).cast(np.float64).apply("Abs").reduce("Max", 1)
    points = cells.cast(np.float64) + (moved > 0.0).where(0.0, steps)
    points = (scores > 0.0).where(points, 0.0)
    return points.cast(np.float32).reshape(-1, joints, 2), scores.reshape(-1, joints)


def map_size(card: ModelCard) -> tuple[int, int]:
    """Return h and w of a card's heatmaps."""
    stride = cast("HeatmapOutput", card.output).stride
    height, width = (side // stride for side in card.picture.size)
    return height, width


def find_peaks(heatmaps: Value, card: ModelCard) -> tuple[Value, Value]:
    """Return the highest cell of each of M = N * K maps, (M, 2) int64 xy, and its value, (M, 1) float32."""
    height, width = map_size(card)
    flat = heatmaps.reshape(-1, height * width)
    best = flat.apply("ArgMax", dtype=np.int64, axis=1, keepdims=1)
    rows = best / width
    return (best - rows * width).join(rows, axis=1), flat.apply("GatherElements", best, axis=1)


def _smooth(heatmaps: Value, joints: int, kernel: int) -> Value:
    """Smooth (N, K, h, w) heatmaps with a Gaussian and restore the original maximum of each.

    The core restores the maximum only of maps with a cell at `LOG_FLOOR`. In other maps a factor has no
    effect on the derivatives of the logarithm.
    """
    weights = gaussian(kernel)
    square = np.broadcast_to(np.outer(weights, weights), (joints, 1, kernel, kernel))
    smooth = heatmaps.apply("Conv", square, pads=[kernel // 2] * 4, group=joints)
    peaks = (tensor.reduce("Max", 2, 3) for tensor in (heatmaps, smooth))
    return smooth * (next(peaks) / next(peaks))


def _log_patches(smooth: Value, middles: Value, width: int) -> Value:
    """Return the logarithm of the (M, 25) cells around (M, 2) xy middles of (M, h * w) maps, float64."""
    rows, columns = np.divmod(np.arange(_SIDE * _SIDE), _SIDE) - np.array(REACH)
    middle_x, middle_y = middles.split(2, axis=1)
    places = middle_y * width + middle_x + (rows * width + columns)[None]
    return (
        smooth.apply("GatherElements", places, axis=1).cast(np.float64).apply("Max", LOG_FLOOR).apply("Log")
    )


def newton_steps(dx: Value, dy: Value, dxx: Value, dyy: Value, dxy: Value) -> Value:
    """Return the (M, 2) xy step to where M paraboloids have their vertices; none if one is singular.

    Args:
        dx: (M, 1) float64, first derivative along x.
        dy: (M, 1), along y.
        dxx: (M, 1), second derivative along x.
        dyy: (M, 1), along y.
        dxy: (M, 1), mixed.
    """
    determinant = dxx * dyy - dxy * dxy
    is_singular = determinant.apply("Abs") <= 0.0
    steps = (dxy * dy - dyy * dx).join(dxy * dx - dxx * dy, axis=1) / is_singular.where(1.0, determinant)
    return is_singular.where(0.0, steps)


def _derivatives() -> F64:
    """Return the (25, 5) matrix that maps a patch to dx, dy, dxx, dyy and dxy at its middle."""
    stencils = np.zeros((5, _SIDE, _SIDE))
    stencils[0, 2, [3, 1]] = 1 / 2, -1 / 2
    stencils[1, [3, 1], 2] = 1 / 2, -1 / 2
    stencils[2, 2, [4, 2, 0]] = 1 / 4, -2 / 4, 1 / 4
    stencils[3, [4, 2, 0], 2] = 1 / 4, -2 / 4, 1 / 4
    stencils[4, [3, 1, 1, 3], [3, 3, 1, 1]] = 1 / 4, -1 / 4, 1 / 4, -1 / 4
    matrix: F64 = stencils.reshape(5, -1).T
    return matrix


_DERIVATIVES: Final = _derivatives()
