"""One person's poses over time, as input for action recognition: (2, T, K, 1), relative to their boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pose_onnx.core.arrays import F32, F64


class Window(NamedTuple):
    """One person's poses, oldest first, at even times.

    Attributes:
        keypoints: (T, K, 2) float32, xy, image pixels.
        boxes: (T, 4) float32, xyxy, image pixels: the person's in each frame, from the detector or tracker.
    """

    keypoints: F32
    boxes: F32


def window_tensor(window: Window, frames: int, box: tuple[int, int]) -> F32:
    """Make a network's input, as PP-Human does.

    Args:
        window: Of any length.
        frames: T, as the network requires.
        box: Width and height that each frame's box is scaled to.

    Returns:
        (2, T, K, 1) float32: x, then y, in the box.
    """
    fitted = fit_frames(points_in_boxes(window, box), frames)
    return np.ascontiguousarray(fitted.transpose(2, 0, 1)[..., None])


def points_in_boxes(window: Window, box: tuple[int, int]) -> F32:
    """Scale each frame's joints from the person's box to one size: (x - x1) / (x2 - x1) * width, y likewise.

    Joints outside their box stay outside. A frame whose box has no area becomes zeros, like the padding at
    the end. (PP-Human divides by zero.)

    Returns:
        (T, K, 2) float32, xy, 0 to `box` inside.
    """
    corners = window.boxes.astype(np.float64).reshape(-1, 2, 2)
    low, size = corners[:, :1], corners[:, 1:] - corners[:, :1]
    has_area = (size > 0).all(axis=2, keepdims=True)
    points_box = (window.keypoints - low) / np.where(has_area, size, 1) * np.array(box)
    return np.where(has_area, points_box, 0).astype(np.float32)


def fit_frames(points_box: F32, frames: int) -> F32:
    """Bring a window to its length: pad a shorter one with zeros at its end, drop frames of a longer one.

    The effective length ends with the last frame whose coordinates have a sum above 0: frames after it are
    lost, even if they hold a pose (above and to the left of its box). A longer window is sampled in even
    steps from frame 0 to that length, both included, so the last sample is beyond the effective length. If
    there is no such frame, the last frame is used. (PP-Human fails.)

    Args:
        points_box: (T, K, 2) float32.
        frames: The length of the result.

    Returns:
        (frames, K, 2) float32, a new array.
    """
    full = np.flatnonzero(points_box.sum(axis=(1, 2)) > 0)
    used = int(full[-1]) + 1 if len(full) else len(points_box)
    if used > frames:
        places = np.floor(np.linspace(0, used, frames)).astype(np.intp)
        return points_box[np.minimum(places, len(points_box) - 1)]
    fitted = np.zeros((frames, *points_box.shape[1:]), np.float32)
    fitted[:used] = points_box[:used]
    return fitted


def at_times(times: F64, values: F32, wanted: F64) -> F32:
    """Interpolate linearly in time.

    Args:
        times: (T,) seconds, rising.
        values: (T, ...) what was seen then.
        wanted: (S,) seconds, none before the first of `times` and none after the last.

    Returns:
        (S, ...) float32.
    """
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    if len(times) == 1:
        return np.repeat(values, len(wanted), axis=0).astype(np.float32)
    before = after - 1
    share = (wanted - times[before]) / (times[after] - times[before])
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return ((1 - share) * values[before] + share * values[after]).astype(np.float32)
