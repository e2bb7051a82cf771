"""Object keypoint similarity, and suppression of people that were found twice.

OKS as COCO defines it (Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose
Estimation", ICCV 2017; cocodataset.org, keypoints evaluation): the mean over the keypoints of
exp(-d^2 / (2 s^2 k^2)), d the distance, s^2 the person's area and k a constant of the keypoint.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, F64
from pose_onnx.errors import InputError
from pose_onnx.poses import Poses

COCO_SIGMAS: Final = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072,
    0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip
"""Half of k for COCO's 17 keypoints, nose to right ankle: how far annotators disagree."""


def known_sigmas(card: ModelCard) -> tuple[float, ...]:
    """Return a card's sigmas, or COCO's for its 17 joints; none for another number of joints."""
    if card.oks_sigmas:
        return card.oks_sigmas
    return COCO_SIGMAS if len(card.keypoints) == len(COCO_SIGMAS) else ()


def sigmas_of(card: ModelCard) -> tuple[float, ...]:
    """Return a card's sigmas, or COCO's for its 17 joints.

    Raises:
        InputError: Another number of joints, and no sigmas in the card.
    """
    if sigmas := known_sigmas(card):
        return sigmas
    raise InputError(
        f"the card of {card.name!r} has {len(card.keypoints)} keypoints but no oks_sigmas; add one for "
        "each keypoint to be able to compare poses"
    )


def oks(keypoints: F32, others: F32, areas: F32, sigmas: tuple[float, ...] = COCO_SIGMAS) -> F64:
    """Compare N people with M.

    Args:
        keypoints: (N, K, 2), xy, any frame.
        others: (M, K, 2), the same frame.
        areas: (N,), area of each of the N people in that frame, squared pixels.
        sigmas: Half of COCO's constant for each of the K keypoints.

    Returns:
        (N, M) float64, 0 to 1.

    Raises:
        InputError: Not one sigma for each keypoint.
    """
    if len(sigmas) != keypoints.shape[1]:
        raise InputError(
            f"{len(sigmas)} sigmas were given; give one for each of {keypoints.shape[1]} keypoints"
        )
    squared = np.square(keypoints[:, None].astype(np.float64) - others[None]).sum(axis=-1)
    spread = 2 * np.square(2 * np.array(sigmas)) * np.maximum(areas, 1)[:, None, None]
    similarity: F64 = np.exp(-squared / spread).mean(axis=-1)
    return similarity


def suppress_duplicates(
    poses: Poses, scores: F32, limit: float, sigmas: tuple[float, ...] = COCO_SIGMAS
) -> NDArray[np.int64]:
    """Return the people to keep, best first: only the best of those more alike than `limit`.

    Args:
        poses: N people.
        scores: (N,), how good each is.
        limit: Two people with a larger OKS are one (PaddleDetection evaluates with 0.9).
        sigmas: Half of COCO's constant for each keypoint.

    Returns:
        Indices into `poses`, int64.
    """
    areas = np.prod(poses.boxes[:, 2:] - poses.boxes[:, :2], axis=1)
    alike = oks(poses.keypoints, poses.keypoints, areas, sigmas) > limit
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if not alike[kept, index].any():
            kept.append(int(index))
    return np.array(kept, np.int64)
