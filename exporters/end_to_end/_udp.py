"""UDP's decoding inside the graph: `decode_udp` of the core."""

from __future__ import annotations

from typing import Final, cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F64
from pose_onnx.core.udp import DAMPING, HIGHEST, LOWEST, REACH, smoothing
from pose_onnx.exporters.end_to_end._dark import find_peaks, map_size, newton_steps
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.outputs import HeatmapOutput
from pose_onnx.presets import Preset

_SIDE: Final = 2 * REACH + 1


def decode(heatmaps: Value, card: ModelCard, preset: Preset) -> tuple[Value, Value]:
    """Find the peaks and move them by DARK on all cells.

    Args:
        heatmaps: (N, K, h, w) float32.
        card: The keypoint model's card.
        preset: Gives the step length.

    Returns:
        points_heatmap: (N, K, 2) float32, xy, cells.
        scores: (N, K) float32.
    """
    spec = cast("HeatmapOutput", card.output)
    joints = len(card.keypoints)
    height, width = map_size(card)
    cells, scores = find_peaks(heatmaps, card)
    x, y = cells.split(2, axis=1)
    maps = heatmaps.reshape(-1, height, width).cast(np.float64)
    smooth = _weights(y, height, spec.blur_kernel) @ maps
    smooth = smooth @ _weights(x, width, spec.blur_kernel).transpose(0, 2, 1)
    logs = smooth.clip(LOWEST, HIGHEST).apply("Log").reshape(-1, _SIDE * _SIDE)
    dx, dy, dxx, dyy, dxy = (logs @ _DERIVATIVES).split(5, axis=1)
    steps = newton_steps(dx, dy, dxx + DAMPING, dyy + DAMPING, dxy)
    if preset.max_step is not None:
        steps = steps.clip(-preset.max_step, preset.max_step)
    points = cells.cast(np.float64) + (scores > 0.0).where(steps, 0.0)
    return points.cast(np.float32).reshape(-1, joints, 2), scores.reshape(-1, joints)


def _weights(places: Value, side: int, kernel: int) -> Value:
    """Return the (M, 3, side) float64 weights that smooth the three cells around (M, 1) places of a line."""
    around = (places + np.arange(-REACH, REACH + 1)[None]).clip(0, side - 1)
    return places.constant(smoothing(side, kernel), np.float64).take(around)


def _derivatives() -> F64:
    """Return the (9, 5) matrix that maps a patch to dx, dy, dxx, dyy and dxy at its middle."""
    stencils = np.zeros((5, _SIDE, _SIDE))
    stencils[0, 1, [2, 0]] = 1 / 2, -1 / 2
    stencils[1, [2, 0], 1] = 1 / 2, -1 / 2
    stencils[2, 1] = stencils[3, :, 1] = 1, -2, 1
    stencils[4] = [[1 / 2, -1 / 2, 0], [-1 / 2, 1, -1 / 2], [0, -1 / 2, 1 / 2]]
    matrix: F64 = stencils.reshape(5, -1).T
    return matrix


_DERIVATIVES: Final = _derivatives()
