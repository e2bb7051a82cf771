"""How poses are displayed without their picture: as one line of text, and in notebooks."""

from __future__ import annotations

import base64
from dataclasses import replace
from html import escape
from typing import Final

import numpy as np

from pose_onnx.core.arrays import F64, Image
from pose_onnx.drawing.painter import is_drawable
from pose_onnx.drawing.poses import draw_poses
from pose_onnx.image_files import encode_image
from pose_onnx.poses import Poses

_LISTED: Final = 5  # people listed in the one line
_SKETCH: Final = 480  # pixels of a sketch's longer side
_MARGIN: Final = 0.1  # around the people in it, relative to their longer side
_GROUND: Final = 255


def summary(poses: Poses) -> str:
    """Describe poses in one line."""
    people = f"{len(poses)} {'person' if len(poses) == 1 else 'people'}"
    parts = [people, f"{len(poses.names)} keypoints"]
    if len(poses):
        parts.append(f"sure {_few(poses.visible().sum(axis=1), 'd')}")
        parts.append(f"box scores {_few(poses.box_scores, '.2f')}")
        if poses.ids is not None:
            parts.append(f"ids {_few(poses.ids, 'd')}")
    return f"<Poses: {'; '.join(parts)}>"


def sketch(poses: Poses) -> Image | None:
    """Draw people alone, on white, at the size that a notebook shows.

    Returns:
        (H, W, 3) uint8, BGR; `None` if there is nobody to draw.
    """
    places = [poses.boxes.reshape(-1, 2), poses.keypoints[poses.visible()]]
    points = np.concatenate(places).astype(np.float64)
    points = points[is_drawable(points)]
    if not len(points):
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    longest = max(float((high - low).max()), 1.0)
    low, high = low - _MARGIN * longest, high + _MARGIN * longest
    scale = _SKETCH / (longest * (1 + 2 * _MARGIN))
    width, height = ((high - low) * scale).round().astype(int).tolist()
    moved = replace(
        poses, keypoints=_moved(poses.keypoints, low, scale), boxes=_moved(poses.boxes, low, scale)
    )
    return draw_poses(np.full((height, width, 3), _GROUND, np.uint8), moved, scores=True)


def sketch_png(poses: Poses) -> bytes | None:
    """Return `sketch` as the content of a PNG file."""
    drawn = sketch(poses)
    return None if drawn is None else encode_image(drawn, ".png")


def poses_html(poses: Poses) -> str:
    """Return the one line, the sketch, and a table with a row for each person, as HTML."""
    parts = [f"<p><code>{escape(summary(poses))}</code></p>"]
    if picture := sketch_png(poses):
        parts.append(f'<img alt="" src="data:image/png;base64,{base64.b64encode(picture).decode()}">')
    if len(poses):
        parts.append(_table(poses))
    return "".join(parts)


def _table(poses: Poses) -> str:
    ids = [""] * len(poses) if poses.ids is None else [str(number) for number in poses.ids]
    head = ("", "id", "box", "box score", "sure keypoints")
    rows = [
        (str(index), ids[index], ", ".join(f"{value:.0f}" for value in box), f"{score:.2f}", str(count))
        for index, (box, score, count) in enumerate(
            zip(poses.boxes, poses.box_scores, poses.visible().sum(axis=1), strict=True)
        )
    ]
    lines = [_row("th", head), *(_row("td", row) for row in rows)]
    return f"<table>{''.join(lines)}</table>"


def _row(tag: str, cells: tuple[str, ...]) -> str:
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"


def _few(numbers: np.ndarray, form: str) -> str:
    """Return the first few numbers, and whether there are more."""
    listed = ", ".join(format(number, form) for number in numbers[:_LISTED].tolist())
    return listed + ", ..." * (len(numbers) > _LISTED)


def _moved(points: np.ndarray, low: F64, scale: float) -> np.ndarray:
    """Convert (..., 2 n) coordinates, x and y alternating, to those of the sketch; NaN for those far away."""
    flat = points.reshape(-1, 2).astype(np.float64)
    moved = np.where(is_drawable(flat)[:, None], (flat - low) * scale, np.nan)
    return moved.reshape(points.shape).astype(np.float32)
