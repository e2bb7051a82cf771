"""Optimal one-to-one assignment of detections to tracks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F64
from pose_onnx.errors import DependencyError


def assign(similarity: F64, least: float) -> list[tuple[int, int]]:
    """Return the pairs (row, column) with the largest sum of similarities, by the Hungarian method.

    Args:
        similarity: (N, M).
        least: Pairs with a lower similarity are not made.

    """
    if 0 in similarity.shape:
        return []
    if similarity.size == 1:
        return [(0, 0)] if similarity[0, 0] >= least else []
    allowed = np.where(similarity >= least, similarity, 0)
    rows, columns = _hungarian()(allowed, maximize=True)
    return [
        (row, column)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if similarity[row, column] >= least
    ]


def check_can_assign() -> None:
    """Report a missing package at the start of a video instead of at its second person.

    Raises:
        DependencyError: SciPy is not installed.
    """
    try:
        _hungarian()
    except ImportError as error:
        raise DependencyError(
            f"tracking people in a video needs SciPy ({error}); run: pip install 'pose-onnx[video]'"
        ) from error


def _hungarian() -> Callable[..., tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 (an extra, and slow to import)

    return linear_sum_assignment
