"""The links between COCO's joints in ST-GCN. Does not import Paddle, because training uses it too."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

JOINTS: Final = 17
CENTRE: Final = 11
"""The joint from which distances are counted: the left hip."""
LINKS: Final = (
    *((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (6, 8), (7, 9), (8, 10)),
    *((5, 11), (6, 12), (11, 13), (12, 14), (13, 15), (14, 16), (11, 12)),
)
"""Linked joints. The ears are linked to the shoulders; the shoulders are not linked to each other."""


def adjacency() -> NDArray[np.float32]:
    """Return A (3, K, K): A[p, v, w] is the weight from joint v to joint w in part p; columns sum to 1.

    The parts are links of a joint to itself, to joints at most as far from the centre, and to joints farther
    from it. As in PaddleVideo, all joints without a direct link to the centre are equally far.
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
