"""COCO keypoint AP with ground-truth boxes, one pass, crops from the full image."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from training.geometry import crop_matrix
from training.images import read_rgb, warp
from training.predict import to_input

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RATIO: Final = 4  # input pixels per heatmap pixel, without a half-pixel term
VISIBLE: Final = 0.2  # joints below it do not count in the score of a person
BATCH: Final = 64
FLOOR: Final = 1e-10  # under the logarithm


def decode(heatmaps: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Peaks (N,K,2) in heatmap pixels and their heights (N,K) from heatmaps (N,K,h,w).

    Second-order refinement of the logarithm of the blurred map (Zhang et al., "DARK",
    CVPR 2020), moved by at most half a pixel.
    """
    n, k, h, w = heatmaps.shape
    flat = heatmaps.reshape(n * k, h, w)
    top = flat.reshape(n * k, -1).argmax(1)
    y, x = top // w, top % w
    smooth = np.stack([cv2.GaussianBlur(m, (3, 3), 0) for m in flat])
    log = np.log(np.maximum(np.pad(smooth, ((0, 0), (1, 1), (1, 1)), "edge"), FLOOR))
    rows = np.arange(n * k)

    def at(dy: int, dx: int) -> NDArray[np.float32]:
        return log[rows, y + 1 + dy, x + 1 + dx]

    gx, gy = (at(0, 1) - at(0, -1)) / 2, (at(1, 0) - at(-1, 0)) / 2
    xx = at(0, 1) - 2 * at(0, 0) + at(0, -1)
    yy = at(1, 0) - 2 * at(0, 0) + at(-1, 0)
    xy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    det = xx * yy - xy * xy
    peaked = (det > FLOOR) & (xx < 0)
    safe = np.where(peaked, det, 1)
    dx = np.where(peaked, -(yy * gx - xy * gy) / safe, 0).clip(-0.5, 0.5)
    dy = np.where(peaked, -(xx * gy - xy * gx) / safe, 0).clip(-0.5, 0.5)
    points = np.stack([x + dx, y + dy], -1).reshape(n, k, 2)
    return points, flat[rows, y, x].reshape(n, k)


class PoseBenchmark:
    """The persons of an annotation file, cropped once."""

    def __init__(self, annotations: Path, images: Path, size: tuple[int, int]) -> None:
        """Crop every person with keypoints to `size` (width, height)."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._coco = COCO(str(annotations))
        self._people = [
            a for a in self._coco.dataset["annotations"] if a["num_keypoints"] and not a["iscrowd"]
        ]
        views: list[NDArray[np.uint8]] = []
        self._matrices: list[NDArray[np.float64]] = []
        for person in self._people:
            name = self._coco.loadImgs(person["image_id"])[0]["file_name"]
            image = read_rgb(images / name)
            x, y, w, h = person["bbox"]
            matrix = crop_matrix((x, y, x + w, y + h), size)
            views.append(warp(image, matrix, size))
            self._matrices.append(np.asarray(cv2.invertAffineTransform(matrix), np.float64))
        self._views = np.stack(views)

    def average_precision(self, network: torch.nn.Module) -> float:
        """COCO keypoint AP in percent."""
        device = next(network.parameters(), torch.empty(0)).device
        maps = []
        with torch.inference_mode():
            for start in range(0, len(self._views), BATCH):
                x = to_input(self._views[start : start + BATCH], device)
                maps.append(network(x).float().cpu().contiguous().numpy())
        points, heights = decode(np.concatenate(maps))
        results = [
            self._result(person, matrix, p, v)
            for person, matrix, p, v in zip(self._people, self._matrices, points, heights, strict=True)
        ]
        return self._score(results)

    def _result(
        self,
        person: dict[str, object],
        matrix: NDArray[np.float64],
        points: NDArray[np.float64],
        heights: NDArray[np.float32],
    ) -> dict[str, object]:
        image_points = points * RATIO @ matrix[:, :2].T + matrix[:, 2]
        seen = heights[heights > VISIBLE]
        flat = np.column_stack([image_points, heights]).reshape(-1)
        return {
            "image_id": person["image_id"],
            "category_id": 1,
            "keypoints": [float(v) for v in flat],
            "score": float(seen.mean()) if len(seen) else float(heights.mean()) * VISIBLE,
        }

    def _score(self, results: list[dict[str, object]]) -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            found = self._coco.loadRes(json.loads(json.dumps(results)))
            run = COCOeval(self._coco, found, "keypoints")
            run.evaluate()
            run.accumulate()
            run.summarize()
        return float(run.stats[0]) * 100
