"""From the heads of a one-pass network to people with their joints: CenterNet's multi_pose decoding.

A peak of the centre map is a person. Its cell gives the person's box and the approximate position of each
joint; the joint maps give exact positions of joints, but not whose they are. So each rough joint takes the
nearest peak of its map, if that one is in the person's box and near enough. (Zhou et al., "Objects as
Points", 2019; facts: CenterNet, src/lib/models/decode.py, multi_pose_decode.)

All points are in cells of the heads, xy; a cell's own coordinates are integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import F32, POINT
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import InputError

PEAK_SCORE: Final = np.float32(0.1)
"""A joint's peak must be above this to be taken (decode.py, thresh)."""

PEAK_DISTANCE: Final = np.float32(0.3)
"""A peak may be as far from the rough joint as this part of the box's longer side (decode.py)."""

CELL_OFFSET: Final = np.float32(0.5)
"""Where in its cell a peak is taken to be if the network does not tell (decode.py)."""

_NOWHERE: Final = np.float32(-10000)
"""Where a peak that does not count is put: nearer to nobody than any other (decode.py)."""

_NO_PEAK: Final = np.float32(-1)
_HEAD_RANK: Final = 3  # (C, h, w)


class PeopleHeads(NamedTuple):
    """The network's output for one picture, on a grid of (h, w) cells.

    Attributes:
        centers: (1, h, w) float32, scores 0 to 1: is a person's centre here?
        sizes: (2, h, w) float32, width and height of the box of a person whose centre is here, cells.
        joints: (2 * K, h, w) float32, x and y of each of its joints, cells from this cell.
        offsets: (2, h, w) float32, x and y of the centre, cells from this cell; or `None`.
        joint_maps: (K, h, w) float32, scores 0 to 1: is a joint here? Or `None`.
        joint_offsets: (2, h, w) float32, x and y of the joint, cells from this cell; or `None`.
    """

    centers: F32
    sizes: F32
    joints: F32
    offsets: F32 | None = None
    joint_maps: F32 | None = None
    joint_offsets: F32 | None = None


class People(NamedTuple):
    """N people of one picture, best first.

    Attributes:
        boxes: (N, 4) float32, xyxy, cells. Not clipped at the border; x2 < x1 if the network says so.
        scores: (N,) float32, 0 to 1, of each person.
        joints: (N, K, 2) float32, xy, cells.
        joint_scores: (N, K) float32, 0 to 1: of the joint's peak where one was used, otherwise the
            person's. CenterNet has no joint scores; these are ours.
    """

    boxes: F32
    scores: F32
    joints: F32
    joint_scores: F32


class _Peaks(NamedTuple):
    """Peaks of C maps, best first in each map; rows are filled up to the same length."""

    cells: NDArray[np.int64]
    """(C, P), indices into a flat map; 0 in fillers."""
    scores: F32
    """(C, P); `_NO_PEAK` in fillers."""


def decode_people(heads: PeopleHeads, *, most: int = 100, threshold: float = 0) -> People:
    """Find the people of one picture and their joints.

    A cell is a peak if none of its eight neighbours is higher: all cells of a plateau are peaks. Of equal
    peaks the first in reading order comes first. Fewer people than `most` are returned where the centre map
    has fewer peaks; the reference pads the list with people of score 0.

    Only the nearest peak is checked: if it is unsuitable, the joint keeps its approximate position, even if
    a second peak would be suitable. Several people may use the same peak. Both are as in the reference.

    Args:
        heads: Of one picture. Not written to.
        most: At most this many people are returned, and this many peaks of each joint considered.
        threshold: People with a score above this are returned.

    Returns:
        The people.

    Raises:
        InputError: The heads do not fit together, or the score maps hold NaN.
    """
    _check(heads)
    found = _find_peaks(heads.centers, most, np.float32(threshold))
    cells = found.cells[0][found.scores[0] > 0]
    scores = found.scores[0][: len(cells)]
    corners = _corners(cells, heads.centers.shape[2])
    centers = corners + (CELL_OFFSET if heads.offsets is None else _at(heads.offsets, cells))
    half = _at(heads.sizes, cells) / 2
    boxes = np.concatenate([centers - half, centers + half], axis=1)
    joints = (
        _at(heads.joints, cells).reshape(len(cells), heads.joints.shape[0] // POINT, POINT) + corners[:, None]
    )
    joint_scores = np.repeat(scores[:, None], joints.shape[1], axis=1)
    if heads.joint_maps is not None:
        joints, joint_scores = _take_peaks(
            heads.joint_maps, heads.joint_offsets, boxes, joints, joint_scores, most
        )
    return People(boxes, scores, joints, joint_scores)


def to_image(people: People, scale: F32, offset: F32) -> People:
    """Map people from cells to image pixels.

    Args:
        people: In cells. Not written to.
        scale: (4,) float32, image pixels per cell, for x, y, x, y of a box.
        offset: (4,) float32, where the grid's origin is in image pixels, likewise.
    """
    return people._replace(
        boxes=people.boxes * scale + offset, joints=people.joints * scale[:POINT] + offset[:POINT]
    )


def sigmoid(logits: F32) -> F32:
    """Turn logits into scores."""
    with np.errstate(over="ignore"):  # exp(inf) makes 0
        scores: F32 = np.float32(1) / (np.float32(1) + np.exp(-logits))
    return scores


def merge_mirrored(
    heads: PeopleHeads, mirrored: PeopleHeads, flip_pairs: Sequence[tuple[int, int]]
) -> PeopleHeads:
    """Average the heads of a picture with those of the same picture mirrored (`tensor[..., ::-1]`).

    The offsets within a cell cannot be mirrored and averaged cell by cell, so those of the original picture
    are kept. No map is shifted by a fraction of a cell, although mirroring maps input column x to W - 1 -
    x. Both are as in the reference (CenterNet, src/lib/detectors/multi_pose.py).

    Args:
        heads: Of the picture. Not written to.
        mirrored: Of the mirrored picture, as the network gives them. Not written to.
        flip_pairs: Index pairs of joints that swap.

    Returns:
        New heads of the picture.
    """
    swapped = np.arange(heads.joints.shape[0] // POINT)
    for left, right in flip_pairs:
        swapped[[left, right]] = right, left
    joints = mirrored.joints.reshape(len(swapped), POINT, *mirrored.joints.shape[1:])[swapped]
    joints = joints * np.array([-1, 1], np.float32)[:, None, None]
    joint_maps = heads.joint_maps
    if joint_maps is not None and mirrored.joint_maps is not None:
        joint_maps = _mean(joint_maps, mirrored.joint_maps[swapped])
    return heads._replace(
        centers=_mean(heads.centers, mirrored.centers),
        sizes=_mean(heads.sizes, mirrored.sizes),
        joints=_mean(heads.joints, joints.reshape(mirrored.joints.shape)),
        joint_maps=joint_maps,
    )


def _mean(head: F32, mirrored: F32) -> F32:
    mean: F32 = (head + mirrored[..., ::-1]) / np.float32(2)
    return mean


def _take_peaks(
    maps: F32, offsets: F32 | None, boxes: F32, joints: F32, scores: F32, most: int
) -> tuple[F32, F32]:
    """Put each of (N, K, 2) rough joints on the nearest peak of its map, where that one does.

    Args:
        maps: (K, h, w).
        offsets: (2, h, w), or `None`.
        boxes: (N, 4).
        joints: (N, K, 2).
        scores: (N, K), of joints that stay where they are.
        most: So many peaks of each map are considered.

    Returns:
        Joints and scores.
    """
    peaks = _find_peaks(maps, most, PEAK_SCORE)
    points = _corners(peaks.cells, maps.shape[2])
    points = points + (CELL_OFFSET if offsets is None else _at(offsets, peaks.cells))
    points[peaks.scores < 0] = _NOWHERE
    # (N, K, P). The root is drawn before the comparison, so that rounding makes the reference's ties.
    dx, dy = (joints[:, :, axis, None] - points[None, :, :, axis] for axis in range(POINT))
    distances = np.sqrt(dx * dx + dy * dy)
    nearest = distances.argmin(axis=2)
    joint = np.arange(len(points))
    point, score = points[joint, nearest], peaks.scores[joint, nearest]
    distance = np.take_along_axis(distances, nearest[:, :, None], axis=2)[:, :, 0]
    low, high = boxes[:, None, :POINT], boxes[:, None, POINT:]
    reach = PEAK_DISTANCE * (high - low).max(axis=2)
    taken = ((point >= low) & (point <= high)).all(axis=2) & (score >= PEAK_SCORE) & (distance <= reach)
    return np.where(taken[:, :, None], point, joints), np.where(taken, score, scores)


def find_peaks(maps: F32) -> NDArray[np.bool_]:
    """Return for each cell of (C, h, w) maps whether none of its eight neighbours is higher."""
    around = np.ones((3, 3), np.uint8)
    # Beyond the border cv2.dilate takes the lowest number there is.
    return np.stack([plane == cv2.dilate(plane, around) for plane in maps])


def _find_peaks(maps: F32, most: int, above: np.float32) -> _Peaks:
    """Return the best peaks of (C, h, w) maps above a score; fillers after them, if there is room."""
    is_peak = find_peaks(maps) & (maps > above)
    channels, cells = np.divmod(np.flatnonzero(is_peak), maps.shape[1] * maps.shape[2])
    scores = maps[is_peak]
    order = np.lexsort((-scores, channels))
    channels, cells, scores = channels[order], cells[order], scores[order]
    counts = np.bincount(channels, minlength=len(maps))
    ranks = np.arange(len(cells)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = ranks < most
    shape = (len(maps), min(most, int(counts.max()) + 1))
    peaks = _Peaks(np.zeros(shape, np.int64), np.full(shape, _NO_PEAK, np.float32))
    peaks.cells[channels[kept], ranks[kept]] = cells[kept]
    peaks.scores[channels[kept], ranks[kept]] = scores[kept]
    return peaks


def _corners(cells: NDArray[np.int64], width: int) -> F32:
    """Return the (..., 2) xy of cells of a grid of this width."""
    rows, columns = np.divmod(cells, width)
    return np.stack([columns, rows], axis=-1).astype(np.float32)


def _at(head: F32, cells: NDArray[np.int64]) -> F32:
    """Return the (..., C) values of a (C, h, w) head at cells."""
    return np.moveaxis(head.reshape(len(head), -1)[:, cells], 0, -1)


def _check(heads: PeopleHeads) -> None:
    grid = heads.centers.shape[1:]
    joints = heads.joints.shape[0] // POINT
    channels = (1, POINT, POINT * joints, POINT, joints, POINT)
    for name, head, count in zip(heads._fields, heads, channels, strict=True):
        shape = (count, *grid)
        if head is not None and (head.ndim != _HEAD_RANK or head.shape != shape or 0 in shape):
            raise InputError(f"the head {name!r} has shape {head.shape}, but the other heads require {shape}")
    maps = [heads.centers] if heads.joint_maps is None else [heads.centers, heads.joint_maps]
    if any(np.isnan(scores).any() for scores in maps):
        raise InputError("the heads contain NaN; check the model, and the precision of its export")
