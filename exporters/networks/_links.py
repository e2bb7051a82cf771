"""Which of COCO's joints ST-GCN looks at together. Without Paddle: training needs it too."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

JOINTS: Final = 17
CENTRE: Final = 11
"""The joint that others are nearer to or farther from: the left hip."""
LINKS: Final = (
    *((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (6, 8), (7, 9), (8, 10)),
    *((5, 11), (6, 12), (11, 13), (12, 14), (13, 15), (14, 16), (11, 12)),
)
"""Joints that move together. The ears hang on the shoulders, and the shoulders not on each other."""


def adjacency() -> NDArray[np.float32]:
    """Return A (3, K, K): A[p, v, w] is how much of joint v goes to joint w in part p; columns sum to 1.

    The parts are the links of a joint to itself, to one as near to the centre or nearer, and to one farther
    from it. PaddleVideo knows distances of one link only: whatever is farther from the centre is equally far.
    """
    linked = np.eye(JOINTS)
    for a, b in LINKS:
        linked[a, b] = linked[b, a] = 1
    shares = linked / linked.sum(axis=0)
    distance = np.where(linked[CENTRE] == 1, 1.0, np.inf)
    distance[CENTRE] = 0
    itself = np.eye(JOINTS, dtype=bool)
    farther = distance[:, None] < distance[None, :]
    parts = [itself, ~itself & ~farther, farther]
    return np.stack([shares * part for part in parts]).astype(np.float32)
