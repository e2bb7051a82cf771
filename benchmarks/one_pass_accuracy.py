"""AP of one-pass decoding with heads that are drawn from annotations instead of computed by a network.

There are no official weights with this code, so this tests everything around the network: resizing, decoding
and evaluation, with `PoseEstimator` itself. Perfect heads must give an AP near 100. Worse heads must lose as
much as their error predicts: the measured mean object keypoint similarity (OKS) is compared with the one
computed from the error alone, without decoding (`predicted_oks`).

    python benchmarks/one_pass_accuracy.py person_keypoints_val2017.json val2017 [PICTURES]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx import InputSpec, ModelCard, PoseEstimator, load_card
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.oks import COCO_SIGMAS
from pose_onnx.core.opencv import cv2
from pose_onnx.core.people import PEAK_DISTANCE, PEAK_SCORE
from pose_onnx.detector import detector_input
from pose_onnx.evaluation import Dataset, Found, InPictures, keypoint_metrics, predict
from pose_onnx.outputs import PeopleOutput
from pose_onnx.outputs.people_heads import ALL, channels_of
from pose_onnx.runtimes import TensorSpec

JOINTS: Final = 17
SPREAD: Final = 1.5
"""Standard deviation of a blob, cells."""
_LEAST: Final = 1e-5
"""Score where nothing is; where something certainly is, 1 less this."""
_FLOOR: Final = 0.01
"""People with a lower score are not looked at."""
HALF: Final = 0.5
_STEPS: Final = 300
"""Enough for the peaks to come to rest."""
_MIDDLE: Final = 1 / 12
"""Variance of a joint's position within its cell, cells squared."""


@dataclass(frozen=True)
class Draw:
    """How heads are drawn.

    Attributes:
        heads: Which heads are drawn.
        noise: Standard deviation of the error of each regressed joint, along x and y, cells.
        blur: Standard deviation of the Gaussian that the maps of centres and joints are blurred with, cells.
    """

    heads: tuple[str, ...] = ALL
    noise: float = 0.0
    blur: float = 0.0


class Drawn:
    """Heads of one picture at a time, as a `Runtime`."""

    def __init__(self, card: ModelCard) -> None:
        shapes = card.output.shapes(card)
        self.inputs = (TensorSpec("image", (None, 3, *card.picture.size)),)
        self.outputs = tuple(TensorSpec(name, shape) for name, shape in shapes.items())
        self.heads: dict[str, F32] = {}

    def run(self, feeds: Mapping[str, F32], /) -> dict[str, F32]:
        """Return the heads, whatever the picture shows."""
        del feeds
        return dict(self.heads)

    def close(self) -> None:
        """Do nothing."""


class FromAnnotations:
    """A `PeopleSource` that draws the heads of a picture and lets the model decode people from them."""

    def __init__(self, dataset: Dataset, draw: Draw) -> None:
        base = load_card("multi_pose_dla_3x")
        self._card = replace(base, output=PeopleOutput(heads=draw.heads))
        self._runtime, self._dataset, self._draw = Drawn(self._card), dataset, draw
        self._model = PoseEstimator(pose=self._runtime, pose_card=self._card, threshold=_FLOOR)
        self._rng = np.random.default_rng(0)
        self._found = InPictures(self._model)
        self.names, self.sigmas = self._model.names, self._model.sigmas

    def __call__(self, image_id: int, pixels_bgr: Image) -> Found:
        """Return the people of one picture."""
        scale, offset = _way(pixels_bgr, self._card.picture)
        self._runtime.heads = self._heads(people_of(self._dataset, image_id), scale, offset)
        return self._found(image_id, pixels_bgr)

    def _heads(self, people: list[dict[str, Any]], scale: float, offset: NDArray[Any]) -> dict[str, F32]:
        """Draw the heads of people; points are converted to cells by `(point - offset) / scale`."""
        height, width = (side // 4 for side in self._card.picture.size)
        heads = {name: np.zeros((1, channels_of(name, JOINTS), height, width), np.float32) for name in ALL}
        for person in people:
            x, y, w, h = person["bbox"]
            size = np.array([w, h]) / scale
            center = (np.array([x + w / 2, y + h / 2]) - offset) / scale
            cell = _cell(center, width, height)
            joints = np.array(person["keypoints"], float).reshape(-1, 3)
            points = (joints[:, :2] - offset) / scale
            error = self._rng.normal(0, 1, points.shape) * self._draw.noise
            _blob(heads["hm"][0, 0], cell)
            at = np.s_[0, :, cell[1], cell[0]]
            heads["wh"][at], heads["reg"][at] = size, center - cell
            heads["hps"][at] = (points + error - cell).ravel()
            for joint in np.flatnonzero(joints[:, 2] > 0):
                place = _cell(points[joint], width, height)
                _blob(heads["hm_hp"][0, joint], place)
                heads["hp_offset"][0, :, place[1], place[0]] = points[joint] - place
        for name in ("hm", "hm_hp"):
            heads[name][0] = logits(blurred(heads[name][0], self._draw.blur))
        return {name: heads[name] for name in self._draw.heads}


def blurred(scores: F32, blur: float) -> F32:
    """Return (C, h, w) maps of scores blurred; beyond the border nothing is."""
    if not blur:
        return scores
    return np.stack([cv2.GaussianBlur(each, (0, 0), blur, borderType=cv2.BORDER_CONSTANT) for each in scores])


def logits(scores: F32) -> F32:
    """Return what a network says for scores."""
    scores = np.clip(scores, np.float32(_LEAST), np.float32(1 - _LEAST))
    return np.log(scores / (1 - scores))


def _way(pixels: Image, spec: InputSpec) -> tuple[float, NDArray[Any]]:
    """Return image pixels per cell, and the position of the grid's origin."""
    _, resized = detector_input(pixels, spec)
    return 4 * float(resized.scale[0]), resized.offset[:2].astype(float)


def _cell(point: NDArray[Any], width: int, height: int) -> NDArray[np.int64]:
    cell: NDArray[np.int64] = np.clip(np.floor(point), 0, [width - 1, height - 1]).astype(np.int64)
    return cell


def _blob(plane: F32, cell: NDArray[np.int64]) -> None:
    """Raise the scores around a cell to those of a Gaussian."""
    rows, columns = np.ogrid[: plane.shape[0], : plane.shape[1]]
    distance = (columns - cell[0]) ** 2 + (rows - cell[1]) ** 2
    np.maximum(plane, np.exp(-distance / (2 * SPREAD**2)), out=plane)


def people_of(dataset: Dataset, image_id: int) -> list[dict[str, Any]]:
    """Return the annotated people that count."""
    return [p for p in dataset.coco.imgToAnns[image_id] if p["num_keypoints"] and not p["iscrowd"]]


def measure(dataset: Dataset, draw: Draw) -> tuple[float, float]:
    """Return AP in percent, and the mean OKS of the annotated people with those found."""
    source = FromAnnotations(dataset, draw)
    with tempfile.TemporaryDirectory() as folder:
        lines = list(predict(dataset, source, Path(folder), {"draw": repr(draw)}))
    found = [person for line in lines for person in line["people"]]
    figures, evaluation = keypoint_metrics(dataset, found, dataset.image_ids)
    counted = [
        np.max(evaluation.ious[image_id, 1], axis=0)[place]
        for image_id in dataset.image_ids
        for place, truth in enumerate(evaluation._gts[image_id, 1])  # noqa: SLF001 (pycocotools)
        if truth["num_keypoints"] and not truth["iscrowd"]
    ]
    return figures["AP"], float(np.mean(counted))


def predicted_oks(dataset: Dataset, draw: Draw) -> float:
    """Return the expected mean OKS, computed from the drawing's error alone.

    A regressed joint has a Gaussian error of `noise` cells. A joint on a peak, without offsets within the
    cell, has the error between the cell's middle and a random point in it. With an error of variance v along
    x and y, a joint of squared tolerance t keeps an OKS of t / (t + v) on average.

    Blurred, a blob is wider and lower (`peaks_of`). Who has no centre left in the own cell, where the sizes
    and joints of that person are drawn, is lost. A joint goes to its peak, wherever that has moved; if the
    peak has become too low or has moved too far, the regressed joint stays.
    """
    kept = []
    for image_id in dataset.image_ids:
        image = dataset.coco.imgs[image_id]
        scale = 4 * max(image["width"], image["height"]) / 512
        kept += _kept(people_of(dataset, image_id), scale, draw)
    return float(np.mean(kept))


def _kept(people: list[dict[str, Any]], scale: float, draw: Draw) -> list[float]:
    """Return the expected OKS of the people of one picture, of which a cell is `scale` pixels."""
    joints = np.array([person["keypoints"] for person in people], float).reshape(-1, JOINTS, 3)
    points, seen = joints[:, :, :2] / scale, joints[:, :, 2] > 0
    boxes = np.array([person["bbox"] for person in people]).reshape(-1, 4) / scale
    area = np.array([person["area"] for person in people])
    tolerance = area[:, None] * (2 * np.array(COCO_SIGMAS)) ** 2 / scale**2
    kept = tolerance / (tolerance + draw.noise**2)  # regressed
    if "hm_hp" in draw.heads:
        reach = PEAK_DISTANCE * boxes[:, 2:].max(axis=1)
        for joint in range(JOINTS):
            own = seen[:, joint]
            peaks, heights = peaks_of(points[own, joint], draw.blur)
            moved = np.square(peaks - points[own, joint]).sum(axis=1)
            on_peak = np.exp(-moved / (2 * tolerance[own, joint]))
            if "hp_offset" not in draw.heads:
                on_peak *= tolerance[own, joint] / (tolerance[own, joint] + _MIDDLE)
            is_taken = (heights >= PEAK_SCORE) & (moved <= reach[own] ** 2)
            kept[own, joint] = np.where(is_taken, on_peak, kept[own, joint])
    centers = np.floor(boxes[:, :2] + boxes[:, 2:] / 2)
    found = (np.abs(peaks_of(centers, draw.blur)[0] - centers) < HALF).all(axis=1)
    return [
        float(is_found * values[mask].mean())
        for values, mask, is_found in zip(kept, seen, found, strict=True)
    ]


def peaks_of(points: NDArray[Any], blur: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return where the peaks of blurred blobs are, and their heights.

    A Gaussian of standard deviation s, blurred with one of standard deviation b, is a Gaussian of standard
    deviation S, where S**2 = s**2 + b**2, with the height s**2 / S**2. A sum of equal Gaussians has its peaks
    where each point is the mean of their centres, weighted by how high they are there; going from each
    centre uphill leads to the peak that it belongs to. Two that are nearer to each other than 2 S have one
    peak, in the middle; two at a distance d beyond that have two, each m from the middle, where
    m = d / 2 * tanh(d m / (2 S**2)).

    Args:
        points: (N, 2), the centres of the blobs, cells.
        blur: b, cells; peaks that are not blurred stay, however near.
    """
    if not blur:
        return points, np.ones(len(points))
    variance = SPREAD**2 + blur**2
    peaks = points
    for _ in range(_STEPS):
        weights = _heights_at(peaks, points, variance)
        peaks = weights @ points / weights.sum(axis=1, keepdims=True)
    return peaks, SPREAD**2 / variance * _heights_at(peaks, points, variance).sum(axis=1)


def _heights_at(places: NDArray[Any], points: NDArray[Any], variance: float) -> NDArray[Any]:
    """Return the (M, N) heights, at M places, of Gaussians around N points."""
    squares = np.square(places[:, None] - points).sum(axis=2)
    heights: NDArray[Any] = np.exp(-squares / (2 * variance))
    return heights


REGRESSED: Final = tuple(name for name in ALL if not name.startswith(("hm_hp", "hp_")))
DRAWINGS: Final[Mapping[str, Draw]] = {
    "perfect heads": Draw(),
    "no offsets in a cell": Draw(("hm", "wh", "hps", "hm_hp")),
    "no maps of joints": Draw(REGRESSED),
    "no maps of joints, noise of 0.5 cells": Draw(REGRESSED, 0.5),
    "no maps of joints, noise of 1 cell": Draw(REGRESSED, 1.0),
    "no maps of joints, noise of 2 cells": Draw(REGRESSED, 2.0),
    "maps of joints, noise of 1 cell": Draw(ALL, 1.0),
    "the same, maps blurred by 1 cell": Draw(ALL, 1.0, 1.0),
    "the same, by 2 cells": Draw(ALL, 1.0, 2.0),
    "the same, by 4 cells": Draw(ALL, 1.0, 4.0),
    "the same, by 5 cells": Draw(ALL, 1.0, 5.0),
}


def main(annotations: str, images: str, pictures: str = "200") -> None:
    """Print a table."""
    dataset = Dataset(Path(annotations), Path(images), int(pictures))
    print(f"{'heads':<40} {'AP':>6} {'OKS':>6} {'predicted':>9}")
    for name, draw in DRAWINGS.items():
        ap, oks = measure(dataset, draw)
        print(f"{name:<40} {ap:6.2f} {oks:6.3f} {predicted_oks(dataset, draw):9.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
