"""Angles at joints: how far an elbow or a knee is bent, as seen in the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32
from pose_onnx.errors import InputError
from pose_onnx.poses import JOINT_THRESHOLD, Poses

Triple: TypeAlias = tuple[str, str, str]
"""Names of an end, the joint at which the angle is, and the other end."""

COCO_ANGLES: Final[Mapping[str, Triple]] = MappingProxyType(
    {
        f"{side}_{joint}": (f"{side}_{start}", f"{side}_{joint}", f"{side}_{end}")
        for start, joint, end in (
            ("shoulder", "elbow", "wrist"),
            ("hip", "shoulder", "elbow"),
            ("shoulder", "hip", "knee"),
            ("hip", "knee", "ankle"),
        )
        for side in ("left", "right")
    }
)
"""The angles that COCO's 17 joints make, by the name of the joint at which each is."""
NO_ANGLES: Final[Mapping[str, Triple]] = MappingProxyType({})


def joint_angles(
    poses: Poses, triples: Mapping[str, Triple] = COCO_ANGLES, *, threshold: float = JOINT_THRESHOLD
) -> F32:
    """Measure the angle at B between the straight lines to A and C, for each triple (A, B, C).

    With u = A - B and v = C - B it is atan2(|u_x v_y - u_y v_x|, u_x v_x + u_y v_y): |u||v| sin over
    |u||v| cos of the angle between them. This is exact at every angle, whereas the arc cosine loses half its
    digits near 0 and 180. The angle has no sign, so it is the same in a mirrored or rotated picture, and at
    any scale. It is the angle in the picture, not of the body: an arm that points towards the camera
    appears bent differently.

    Args:
        poses: N people.
        triples: A name, and three keypoints' names, for each of A angles.
        threshold: A keypoint with a score above this counts.

    Returns:
        (N, A) float32, degrees, 0 to 180 (a straight arm), in the order of `triples`. NaN where one of the
        three keypoints does not count or is not finite, or where A or C coincides with B.

    Raises:
        InputError: The poses lack a keypoint that a triple names.
    """
    joints = triple_indices(triples, poses.names)
    points = poses.keypoints[:, joints].astype(np.float64)
    is_finite = np.isfinite(points)
    first, middle, last = np.moveaxis(np.where(is_finite, points, 0), 2, 0)
    u, v = first - middle, last - middle
    cross = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    angles = np.degrees(np.arctan2(np.abs(cross), (u * v).sum(axis=-1)))
    sure = poses.visible(threshold)[:, joints].all(axis=2) & is_finite.all(axis=(2, 3))
    sure &= u.any(axis=-1) & v.any(axis=-1)
    return np.where(sure, angles, np.nan).astype(np.float32)


def triple_indices(triples: Mapping[str, Triple], names: Sequence[str]) -> NDArray[np.intp]:
    """Look up the keypoints of triples: (A, 3) indices into K names.

    Raises:
        InputError: A triple names a keypoint that is not there.
    """
    missing = sorted({name for triple in triples.values() for name in triple} - set(names))
    if missing:
        raise InputError(f"the angles need the keypoints {missing}, but there are only {list(names)}")
    rows = [[names.index(name) for name in triple] for triple in triples.values()]
    return np.array(rows, np.intp).reshape(-1, 3)
