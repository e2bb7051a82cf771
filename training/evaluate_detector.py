"""COCO box mAP of the class person."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Final

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from training.images import read_rgb
from training.predict import detect

if TYPE_CHECKING:
    from pathlib import Path

    import torch

MIN_SCORE: Final = 0.025  # as in the exported detector


class DetectorBenchmark:
    """The photos of an annotation file."""

    def __init__(self, annotations: Path, images: Path, size: int) -> None:
        """Read the annotations; photos are read again at every evaluation."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._coco = COCO(str(annotations))
        self._images, self._size = images, size

    def mean_average_precision(self, network: torch.nn.Module) -> float:
        """Person mAP (IoU 0.50:0.95) in percent."""
        rows = []
        for entry in self._coco.dataset["images"]:
            image = read_rgb(self._images / entry["file_name"])
            found = detect(network, image, self._size, MIN_SCORE)
            boxes = found[:, :4].astype(np.float64)
            boxes[:, 2:] -= boxes[:, :2]
            rows += [(entry["id"], *box, score) for box, score in zip(boxes, found[:, 4], strict=True)]
        if not rows:
            return 0.0
        with contextlib.redirect_stdout(io.StringIO()):
            table = np.array([(*row, 1.0) for row in rows])
            run = COCOeval(self._coco, self._coco.loadRes(table), "bbox")
            run.evaluate()
            run.accumulate()
            run.summarize()
        return float(run.stats[0]) * 100
